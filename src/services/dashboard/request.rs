//! What a job asks for: which products, which of their pages, and whether also if nothing has changed.

use super::{
    files::Pages,
    keeper::{Keepers, Wanted},
};
use crate::{
    engine::{ParameterInfo, ParameterKind, UsageError},
    uws::{ParameterValue, Parameters},
};

/// Most products of a job.
pub const MAX_PRODUCTS: usize = 100;

/// What a job asks for.
pub struct Request<'a> {
    /// These products, each once.
    pub products: Vec<Wanted<'a>>,
    /// These pages.
    pub pages: Pages,
    /// Also if nothing has changed.
    pub force: bool,
}

/// The parameters.
pub fn describe() -> Vec<ParameterInfo> {
    let text = |name, repeatable, meaning| ParameterInfo {
        name,
        ucd: None,
        unit: None,
        kind: ParameterKind::Text,
        required: false,
        repeatable,
        default: None,
        meaning,
    };
    let choice = |name, options, repeatable, default: Option<&str>, meaning| ParameterInfo {
        kind: ParameterKind::Choice { options },
        default: default.map(str::to_owned),
        ..text(name, repeatable, meaning)
    };
    vec![
        text(
            "PRODUCT",
            true,
            "Slug of a product of the first LTD Keeper, or KEEPER/SLUG; 1 to 100 products, here or in PRODUCT_URL.",
        ),
        text("PRODUCT_URL", true, "URL of a product, as LTD Keeper gives it."),
        choice(
            "PAGES",
            &["editions", "builds"],
            true,
            None,
            "Pages that are made; all of them by default.",
        ),
        choice(
            "FORCE",
            &["false", "true"],
            false,
            Some("false"),
            "Whether pages are made also if nothing has changed.",
        ),
    ]
}

impl<'a> Request<'a> {
    /// Reads a job description; every fault names its parameter.
    pub fn read(keepers: &'a Keepers, parameters: &Parameters) -> Result<Request<'a>, Vec<UsageError>> {
        let mut faults = Vec::new();
        let mut products: Vec<Wanted<'a>> = Vec::new();
        for name in ["PRODUCT", "PRODUCT_URL"] {
            for value in texts(parameters, name, &mut faults) {
                let found = if name == "PRODUCT" {
                    keepers.product(value)
                } else {
                    keepers.resolve(value)
                };
                match found {
                    Ok(wanted) if products.iter().any(|other| other.key() == wanted.key()) => {}
                    Ok(wanted) => products.push(wanted),
                    Err(refusal) => faults.push(UsageError::new(name, refusal.to_string())),
                }
            }
        }
        if products.len() > MAX_PRODUCTS {
            faults.push(UsageError::new(
                "PRODUCT",
                format!("{} products, at most {MAX_PRODUCTS} are taken", products.len()),
            ));
        }
        let wanted = texts(parameters, "PAGES", &mut faults);
        let has = |page: &str| wanted.is_empty() || wanted.iter().any(|word| word.eq_ignore_ascii_case(page));
        let pages = Pages {
            editions: has("editions"),
            builds: has("builds"),
        };
        let force = texts(parameters, "FORCE", &mut faults)
            .first()
            .is_some_and(|word| word.eq_ignore_ascii_case("true"));
        if faults.is_empty() {
            Ok(Request {
                products,
                pages,
                force,
            })
        } else {
            Err(faults)
        }
    }

    /// Fails unless there is something to do.
    pub fn check_complete(&self) -> Result<(), UsageError> {
        if self.products.is_empty() {
            return Err(UsageError::new(
                "PRODUCT",
                "missing; expected the slug of a product, or its URL in PRODUCT_URL",
            ));
        }
        Ok(())
    }
}

/// The values of a parameter that are not empty.
fn texts<'a>(parameters: &'a Parameters, name: &str, faults: &mut Vec<UsageError>) -> Vec<&'a str> {
    let mut texts = Vec::new();
    for value in parameters.all(name) {
        match value {
            ParameterValue::Inline(text) => texts.push(text.trim()),
            ParameterValue::Upload { .. } => {
                faults.push(UsageError::new(name, "expected a text, not a file"));
            }
        }
    }
    texts.retain(|text| !text.is_empty());
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::KeeperSettings;

    fn keepers() -> Keepers {
        Keepers::new(&[KeeperSettings {
            name: "one".into(),
            base_url: "https://keeper.example.org".parse().unwrap(),
            public_urls: Vec::new(),
            prefix: String::new(),
            token: None,
            organization: None,
            private_ok: false,
        }])
    }

    fn read<'a>(keepers: &'a Keepers, pairs: &[(&str, &str)]) -> Result<Request<'a>, Vec<String>> {
        let mut parameters = Parameters::default();
        for (name, value) in pairs {
            parameters
                .push(name, ParameterValue::Inline((*value).into()))
                .unwrap();
        }
        let named = |faults: Vec<UsageError>| faults.into_iter().map(|fault| fault.parameter).collect();
        Request::read(keepers, &parameters).map_err(named)
    }

    #[test]
    fn products_are_named_by_slug_or_url_and_come_once() {
        let keepers = keepers();
        let request = read(
            &keepers,
            &[
                ("PRODUCT", " pipes "),
                ("PRODUCT_URL", "https://keeper.example.org/products/pipes/"),
                ("PRODUCT", "sqr-900"),
                ("PRODUCT", ""),
                ("PAGES", "Builds"),
                ("FORCE", "TRUE"),
            ],
        )
        .unwrap();
        let slugs: Vec<_> = request
            .products
            .iter()
            .map(|wanted| wanted.slug.as_str())
            .collect();
        assert_eq!(slugs, ["pipes", "sqr-900"]);
        assert_eq!(
            (request.pages.editions, request.pages.builds, request.force),
            (false, true, true)
        );
        assert!(read(&keepers, &[]).unwrap().check_complete().is_err());
    }

    #[test]
    fn faults_name_their_parameter() {
        let keepers = keepers();
        assert_eq!(read(&keepers, &[("PRODUCT", "../x")]).err().unwrap(), ["PRODUCT"]);
        let elsewhere = [("PRODUCT_URL", "http://169.254.169.254/products/pipes")];
        assert_eq!(read(&keepers, &elsewhere).err().unwrap(), ["PRODUCT_URL"]);
        let many: Vec<String> = (0..=MAX_PRODUCTS)
            .map(|number| format!("pipes-{number}"))
            .collect();
        let many: Vec<(&str, &str)> = many.iter().map(|slug| ("PRODUCT", slug.as_str())).collect();
        assert_eq!(read(&keepers, &many).err().unwrap(), ["PRODUCT"]);
    }
}
