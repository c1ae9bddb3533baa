//! What is done when a job is due, or when somebody asks for it.

use std::sync::Mutex;

use tracing::warn;

use super::{Job, TRIES, failed};
use crate::engine::session::session;
use crate::error::{Error, Result};
use crate::events::look::{self, Look};
use crate::export;
use crate::ledger::{self, vacuum};
use crate::project::Project;
use crate::project::settings::{Does, JobSettings};
use crate::run::event::{Event, Report};
use crate::run::{self, Close};
use crate::serve::{Service, landing};
use crate::store::warehouse::Warehouse;
use crate::{books, catalog, land};

/// Something to do.
pub(super) struct Task {
    /// What it is called in the register.
    pub(super) name: String,
    /// What it does, and where to.
    pub(super) settings: JobSettings,
    /// Who does it.
    pub(super) by: String,
    /// Why it is done though a guard refuses; none: not then.
    pub(super) accepted: Option<String>,
    /// The one period to close; none: each that is due.
    pub(super) period: Option<String>,
}

/// What came of it: for people, and the run that it published.
pub(super) type Came = (String, Option<u64>);

impl Task {
    /// What a job does, by somebody.
    pub(super) fn of(job: &Job, by: String) -> Self {
        Self { name: job.name.clone(), settings: job.settings.clone(), by, accepted: None, period: None }
    }

    /// Does it, again where somebody else has published meanwhile. `before`: the newest run when it was last done.
    pub(super) async fn tried(&self, service: &Service, before: Option<u64>) -> Result<Came> {
        let mut tries = 1;
        loop {
            match self.done(service, before).await {
                Err(Error::Busy { .. }) if tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn done(&self, service: &Service, before: Option<u64>) -> Result<Came> {
        // Prices and queries may have changed since the service began.
        let project = (service.reread)()?;
        let (project, warehouse) = (&project, &service.warehouse);
        let context = session(&project.settings, Some(warehouse))?;
        let now = (service.clock)();
        let by = self.by.clone();
        let mut request = run::Request::new(now, now, by.clone())?;
        request.accepted.clone_from(&self.accepted);
        let quietly = |event: &Event| match event {
            Event::Landed(landed) => landing::tell(landed, &service.metrics),
            event if event.is_warning() => {
                let text = event.to_string();
                warn!(job = self.name, "{}", text.trim_start_matches("warning: "));
            }
            _ => {}
        };
        match self.settings.does {
            Does::Land => {
                let landed = Mutex::new((0_u64, 0_u64));
                let notice = |one: &land::Landed| {
                    landing::tell(one, &service.metrics);
                    if let (None, Ok(mut landed)) = (one.before, landed.lock()) {
                        landed.0 += one.received;
                        landed.1 += one.rejected;
                    }
                };
                land::land_inboxes(project, warehouse, &context, &notice).await?;
                land::gathered::land_gathered(project, warehouse, &context, &notice).await?;
                let (received, rejected) = landed.into_inner().unwrap_or_default();
                Ok((format!("{received} received, {rejected} rejected"), None))
            }
            Does::Run => {
                let report = run::run(project, warehouse, &context, &request, &quietly).await?;
                books::close_due(project, warehouse, &context, &request, &quietly).await?;
                Ok(published(report))
            }
            Does::Close => match &self.period {
                Some(period) if books::is_closed(warehouse, period).await? => {
                    Ok((format!("{period} is closed already"), None))
                }
                Some(period) => {
                    let close = Close { period: period.clone(), by };
                    books::close(project, warehouse, &context, &request, close, &quietly).await?;
                    Ok((format!("{period} is closed"), ledger::newest(warehouse).await?))
                }
                None => {
                    let report = run::run(project, warehouse, &context, &request, &quietly).await?;
                    let closed = books::close_all_due(project, warehouse, &context, &request, &by, &quietly);
                    Ok(match closed.await?.as_slice() {
                        [] => ("no period is due".into(), report.published),
                        // A closing is a run too, and the last one has them all.
                        closed => (format!("{} closed", closed.join(", ")), ledger::newest(warehouse).await?),
                    })
                }
            },
            Does::Export => Ok((self.exported(project, warehouse, now, before).await?, None)),
            Does::Events => {
                let look = Look { now, by, known: failed::conditions(project, warehouse).await? };
                let happened = look::look(project, warehouse, &look).await?;
                Ok((format!("{happened} event{}", if happened == 1 { "" } else { "s" }), None))
            }
            Does::Vacuum => {
                let landed = match ledger::head(warehouse).await? {
                    Some(head) => catalog::pin_all(warehouse, &head).await?,
                    None => Default::default(),
                };
                let keep_days = self.settings.keep_days;
                let request = vacuum::Request { now, keep_days, by, is_dry: false };
                let vacuumed = vacuum::vacuum(project, warehouse, &request, &landed).await?;
                let vacuumed =
                    vacuumed.map(|(vacuumed, _)| (vacuumed.files, vacuumed.bytes)).unwrap_or_default();
                Ok((format!("{} files removed, {} bytes", vacuumed.0, vacuumed.1), None))
            }
        }
    }

    /// Exports each period that closed after the run that was the newest when this was last done.
    async fn exported(
        &self,
        project: &Project,
        warehouse: &Warehouse,
        now: i64,
        before: Option<u64>,
    ) -> Result<String> {
        let head = ledger::head(warehouse).await?;
        let closings = head.iter().flat_map(|head| &head.closings);
        let new = closings.filter(|closing| before.is_none_or(|before| closing.run > before));
        let mut said = Vec::new();
        for closing in new {
            let context = session(&project.settings, Some(warehouse))?;
            let request = export::Request {
                period: closing.billing_period.clone(),
                as_of: now,
                to: self.settings.to.clone().unwrap_or_default(),
                one_file: false,
                format: self.settings.format.unwrap_or(crate::encode::Format::Csv),
            };
            let report = export::export(project, warehouse, &context, &request, &|_| {}, &|_| {}).await?;
            said.push(format!("{}: {} customers", request.period, report.customers));
        }
        Ok(if said.is_empty() { "no period has closed since".into() } else { said.join(", ") })
    }
}

/// What a run has published, and whom it holds back.
fn published(report: Report) -> Came {
    let held =
        |(customer, check): &(String, String)| format!("; {customer} is held back by the check `{check}`");
    let held: String = report.parked.iter().map(held).collect();
    let number = report.published;
    (format!("{}{held}", Event::Published(report)), number)
}
