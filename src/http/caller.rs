//! Who sends a request. Every handler has its caller from here.

use poem::{FromRequest, Request, RequestBody, Result};

use super::problem::Problem;
use crate::auth::Caller;

/// The caller of a request.
pub struct Identified(pub Caller);

/// Who sends this request. In mode `local` everyone is the one user, whatever `Authorization` says.
#[expect(
    clippy::unnecessary_wraps,
    reason = "other modes refuse callers that they do not know"
)]
fn identify(_request: &Request) -> Result<Caller, Problem> {
    Ok(Caller::local())
}

impl<'a> FromRequest<'a> for Identified {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Identified(identify(request)?))
    }
}
