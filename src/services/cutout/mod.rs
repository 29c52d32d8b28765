//! The job type `cutout`: pieces of sky images around a list of positions.
//!
//! `parameters`, `list` and `limits` read what a job asks for; `plan` finds the images by the catalogue; `execute`
//! takes the images one by one, each is `opened`, its `image` boxes are cut in `batch`es, in the bounds of `memory`, and each
//! has its `outcome`, what is larger than these made in `strips`; `cutter` is what they share with cutouts that need no job, `files` what it
//! keeps open; `weights` look at what was cut, and each `sample` is a point of a `lightcurve`; `reuse` knows what was cut
//! before, `retry` what of a job is done again; `provenance`, `names` and `manifest` are what the user gets to see; `ingest`
//! fills the catalogue, by the `keywords` of headers; `render` draws, and `picture` feeds it; `routes` is what is served
//! beside the jobs: `sia` and `search` find images, `datalink` says what can be had of them, in the words of `obscore` and by
//! the IDs of `identifier`.

pub mod answer;
mod batch;
mod check;
pub mod cutter;
mod datalink;
mod dates;
mod execute;
mod files;
mod identifier;
mod image;
pub mod ingest;
mod keywords;
mod lightcurve;
mod limits;
mod list;
mod manifest;
mod memory;
mod names;
mod obscore;
mod opened;
mod outcome;
mod parameters;
mod picture;
mod plan;
mod provenance;
pub mod render;
mod retry;
mod reuse;
pub mod routes;
mod sample;
mod search;
mod sia;
mod strips;
#[cfg(test)]
mod tests;
mod weights;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

use self::{
    cutter::Cutter,
    parameters::{RESPONSE_FORMATS, Request, positions},
    plan::Selection,
};
use crate::{
    auth::Caller,
    engine::{
        Accepted, Again, Answer, CheckError, Context, Description, Draft, Ended, Failure, Interface, Service,
        Stage, Standard, Unavailable,
    },
    objects::Sources,
    settings::CutoutSettings,
    store::Store,
    uws::{ParameterValue, vosi},
};

/// The service.
pub struct Cutout {
    store: Store,
    cutter: Arc<Cutter>,
    max_positions: usize,
    description: Description,
}

impl Cutout {
    /// Over the catalogue of `store`, whose images `sources` opens.
    pub fn new(store: Store, sources: Arc<Sources>, settings: &CutoutSettings) -> Cutout {
        Cutout {
            store,
            cutter: Arc::new(Cutter::new(sources, settings)),
            max_positions: settings.max_positions,
            description: Description {
                name: "cutout",
                title: "Cutouts",
                summary: "Cuts pieces out of sky images around a list of positions: FITS with exact coordinates and every \
                          card kept, and a manifest with a row for each position on each image.",
                parameters: parameters::describe(),
                any_parameter: false,
                formats: RESPONSE_FORMATS,
                retryable: true,
                execution_duration: Duration::from_hours(1),
                max_execution_duration: Duration::from_hours(24),
                retention: Duration::from_hours(30 * 24),
                max_retention: Duration::from_hours(10 * 365 * 24),
            },
        }
    }
}

impl Cutout {
    /// What a description asks for, within the bounds of its caller.
    async fn request(&self, draft: &Draft<'_>, stage: Stage, caller: &Caller) -> Result<Request, CheckError> {
        let list = match positions(draft.parameters)? {
            None => None,
            Some(ParameterValue::Inline(text)) => Some((text.clone().into(), String::new())),
            Some(ParameterValue::Upload { key, media_type, .. }) => {
                Some(((draft.read_upload)(key).await?, media_type.clone()))
            }
        };
        let parameters = draft.parameters.clone();
        let most = self.most_positions(caller);
        // A long list takes a while to read.
        let read = tokio::task::spawn_blocking(move || {
            let list = list.as_ref().map(|(bytes, kind)| (&bytes[..], kind.as_str()));
            Request::read(&parameters, list, most)
        });
        let request = read
            .await
            .map_err(|error| Unavailable(error.to_string()))?
            .map_err(CheckError::Usage)?;
        if stage == Stage::Run {
            request.check_complete()?;
        }
        Ok(request)
    }

    /// Positions that a job of the caller's may have.
    fn most_positions(&self, caller: &Caller) -> usize {
        let own = caller.limits.positions.map_or(usize::MAX, |most| most as usize);
        self.max_positions.min(own)
    }
}

impl Service for Cutout {
    fn describe(&self) -> &Description {
        &self.description
    }

    fn standards(&self) -> &'static [Standard] {
        const fn at(path: &'static str, id: &'static str, interface: Interface) -> Standard {
            Standard { id, path, interface }
        }
        const STANDARDS: &[Standard] = &[
            at("query", vosi::SIA, Interface::Query),
            at("links", vosi::DATALINK, Interface::Query),
            at("sync", vosi::SODA_SYNC, Interface::Sync),
            at("async", vosi::SODA_ASYNC, Interface::Async),
            at("examples", vosi::EXAMPLES, Interface::Document),
        ];
        STANDARDS
    }

    fn check<'a>(
        &'a self,
        draft: &'a Draft<'a>,
        stage: Stage,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Accepted, CheckError>> {
        Box::pin(async move {
            let request = self.request(draft, stage, caller).await?;
            let found = Selection::find(&self.store, &request)
                .await
                .map_err(|error| Unavailable(error.to_string()))?;
            found.map_err(CheckError::Usage)?;
            Ok(Accepted::default())
        })
    }

    fn answer<'a>(
        &'a self,
        draft: &'a Draft<'a>,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<Answer>, CheckError>> {
        Box::pin(answer::answer(self, draft, caller))
    }

    fn retry<'a>(
        &'a self,
        ended: &'a Ended<'a>,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<Again>, CheckError>> {
        Box::pin(async move {
            let Some(manifest) = (ended.read_result)(retry::MANIFEST).await? else {
                return Ok(None);
            };
            let request = self.request(&ended.draft, Stage::Draft, caller).await?;
            let parameters = ended.draft.parameters.clone();
            // A long list takes a while.
            let again = tokio::task::spawn_blocking(move || {
                retry::again(&parameters, &request, &retry::failed(&manifest)?)
            });
            Ok(again.await.map_err(|error| Unavailable(error.to_string()))??)
        })
    }

    fn execute<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(execute::run(self, context))
    }
}
