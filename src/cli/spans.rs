//! Spans of what a service does, sent to a collector by OTLP over HTTP.
//!
//! What always holds: they are sent by threads of their own and wait in a queue that has an end, so that a collector
//! that is slow or gone costs spans and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use tracing::{info, warn};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use url::Url;

use crate::error::Result;
use crate::project::settings::Settings;

/// How long the collector may take for one batch.
const PATIENCE: Duration = Duration::from_secs(5);

/// Spans that are sent.
pub(super) struct Spans(SdkTracerProvider);

/// What is told, as spans.
pub(super) type SpanLayer = OpenTelemetryLayer<Registry, SdkTracer>;

impl Spans {
    /// Begins to send them to a collector, by its address without `/v1/traces`. What it wants in headers stands in the
    /// variable `OTEL_EXPORTER_OTLP_HEADERS`.
    ///
    /// # Errors
    /// It is not an address.
    pub(super) fn to(collector: &str, settings: &Settings) -> Result<Self> {
        let wrong = |what: String| settings.wrong("serve.otlp", what, "such as http://127.0.0.1:4318");
        let is_web = |url: &Url| ["http", "https"].contains(&url.scheme());
        let url = Url::parse(collector).ok().filter(is_web);
        let url = url.ok_or_else(|| wrong(format!("`{collector}` is not the address of a collector")))?;
        let endpoint = format!("{}/v1/traces", url.as_str().trim_end_matches('/'));
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http();
        let exporter = exporter.with_endpoint(endpoint).with_timeout(PATIENCE).build();
        let exporter = exporter.map_err(|error| wrong(error.to_string()))?;
        let resource = Resource::builder().with_service_name("meterhouse").with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()),
        ]);
        let told = Told { exporter, is_lost: AtomicBool::new(false) };
        let provider = SdkTracerProvider::builder().with_batch_exporter(told).with_resource(resource.build());
        Ok(Self(provider.build()))
    }

    pub(super) fn layer(&self) -> SpanLayer {
        let layer = tracing_opentelemetry::layer().with_tracer(self.0.tracer("meterhouse"));
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false)
    }

    /// Sends what waits, for so long at most.
    pub(super) async fn stop(self, time: Duration) {
        // What sends them waits where it stands, which no thread of the runtime may.
        let sent = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(time));
        let _ = tokio::time::timeout(time, sent).await;
    }
}

/// What sends spans, and tells when they do not arrive.
#[derive(Debug)]
struct Told {
    exporter: opentelemetry_otlp::SpanExporter,
    is_lost: AtomicBool,
}

impl SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        if self.is_lost.swap(sent.is_err(), Ordering::Relaxed) != sent.is_err() {
            match &sent {
                Ok(()) => info!("spans reach the collector again"),
                Err(error) => warn!("spans do not reach the collector, and are lost meanwhile: {error}"),
            }
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
