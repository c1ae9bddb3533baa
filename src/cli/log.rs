//! What a service says while it works: lines for people, or JSON for what gathers logs.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{EnvFilter, Layer, fmt as json};

use super::spans::Spans;
use super::stderr;
use crate::error::{Error, Result, While};
use crate::project::settings::{LogFormat, Settings};

/// The variable that says what is told, where no flag does.
const VARIABLE: &str = "RUST_LOG";
/// All that this program says; never what its libraries do.
const ALL: &str = "meterhouse=info";

/// Begins to say it, and to send spans where the settings say so.
///
/// # Errors
/// A variable that says nothing, a collector that has no address.
pub(super) fn start(settings: &Settings, is_quiet: bool, is_verbose: bool) -> Result<Option<Spans>> {
    let format = settings.serve.log;
    let filter = filter(format, is_quiet, is_verbose)?;
    let mut layers = vec![match format {
        LogFormat::Text => Lines.with_filter(filter).boxed(),
        LogFormat::Json => {
            let lines = json::layer().json().flatten_event(true).with_current_span(false);
            let lines = lines.with_span_list(false).log_internal_errors(false).with_writer(std::io::stderr);
            lines.with_filter(filter).boxed()
        }
    }];
    let spans = settings.serve.otlp.as_ref().map(|collector| Spans::to(collector, settings)).transpose()?;
    layers.extend(spans.as_ref().map(|spans| spans.layer().with_filter(EnvFilter::new(ALL)).boxed()));
    let subscriber = tracing_subscriber::registry().with(layers);
    tracing::subscriber::set_global_default(subscriber).during(|| "starting the log".into())?;
    Ok(spans)
}

/// What is told: by a flag, by the variable, or as is usual. People are told of requests where they ask for it.
fn filter(format: LogFormat, is_quiet: bool, is_verbose: bool) -> Result<EnvFilter> {
    let usual = match (is_quiet, is_verbose, format) {
        (true, ..) => "meterhouse=warn",
        (_, true, _) | (.., LogFormat::Json) => ALL,
        _ => "meterhouse=info,meterhouse::request=warn,meterhouse::commit=warn",
    };
    match std::env::var(VARIABLE).ok().filter(|text| !is_quiet && !is_verbose && !text.is_empty()) {
        None => Ok(EnvFilter::new(usual)),
        Some(text) => EnvFilter::try_new(text).map_err(|error| {
            let hint = "such as `meterhouse=info` or `meterhouse=info,meterhouse::request=warn`";
            Error::usage(format!("{VARIABLE}: {error}"), hint)
        }),
    }
}

/// Lines for people: what is told, without what it is made of.
struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let before = if *event.metadata().level() == Level::WARN { "warning: " } else { "" };
        stderr::line(&format!("{before}{}", message.0));
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
