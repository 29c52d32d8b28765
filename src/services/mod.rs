//! The job types: each folder has its service, its executor, and what belongs to it alone.
//!
//! Calls everything below: `jobs` and `engine` for the interface, `store`, `objects`, `fits` and `sky` for the work.

pub mod cutout;
pub mod dashboard;
pub mod echo;

/// What they answer beside their jobs, for the OpenAPI document.
pub type Api = (cutout::routes::Api, dashboard::routes::Products);

#[cfg(test)]
mod tests {
    use super::Api;
    use crate::{auth::policy, http::openapi};

    #[test]
    fn every_route_of_the_document_has_a_row_in_the_policy_and_no_row_is_left_over() {
        let document: serde_json::Value = serde_json::from_str(&openapi::<Api>()).unwrap();
        let mut routes: Vec<(String, String)> = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                routes.push((method.to_uppercase(), path.clone()));
            }
        }
        let without: Vec<_> = routes
            .iter()
            .filter(|(method, path)| policy::who(method, path).is_none())
            .collect();
        assert!(without.is_empty(), "no row in auth::policy: {without:?}");
        let rows = policy::POLICY.iter().flat_map(|(methods, path, _)| {
            methods
                .split(' ')
                .map(move |method| (method.to_owned(), (*path).to_owned()))
        });
        let stale: Vec<_> = rows.filter(|row| !routes.contains(row)).collect();
        assert!(
            stale.is_empty(),
            "rows of auth::policy without a route: {stale:?}"
        );
    }
}
