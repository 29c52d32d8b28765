//! A page as a browser reads it: its elements and their attributes, by the parser of the Servo project.

use std::cell::RefCell;

use html5ever::{
    LocalName,
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};

/// What a page has.
#[derive(Default)]
pub struct Html {
    pub elements: Vec<Element>,
    /// Its text, also that of its head.
    pub text: String,
}

pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Html {
    pub fn of(page: &str) -> Self {
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(page));
        let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        tokenizer.sink.0.into_inner()
    }

    /// Where its links lead.
    pub fn links(&self) -> Vec<&str> {
        self.elements
            .iter()
            .filter(|element| element.name == "a")
            .filter_map(|element| element.attribute("href"))
            .collect()
    }

    /// Fails if there is anything in it that acts but our one script, or that is fetched from elsewhere but by a person who
    /// follows a link.
    pub fn check_harmless(&self) {
        for element in &self.elements {
            let name = element.name.as_str();
            let acts = [
                "image",
                "svg",
                "math",
                "iframe",
                "frame",
                "object",
                "embed",
                "form",
                "input",
                "base",
                "style",
                "audio",
                "video",
                "template",
                "noscript",
                "plaintext",
                "xmp",
                "b",
            ];
            assert!(!acts.contains(&name), "<{name}>");
            let is_loaded = matches!(name, "script" | "img");
            let source = element.attribute("src").unwrap_or_default();
            let kinds: &[&str] = if name == "script" {
                &["js"]
            } else {
                &["svg", "png", "jpg", "webp"]
            };
            let is_asset = ["../_dashboard/", "./_dashboard/"].iter().any(|folder| {
                let asset = source
                    .strip_prefix(folder)
                    .and_then(|asset| asset.split_once('.'));
                asset.is_some_and(|(digest, kind)| {
                    digest.len() == 16
                        && digest.bytes().all(|b| b.is_ascii_hexdigit())
                        && kinds.contains(&kind)
                })
            });
            assert!(!is_loaded || is_asset, "<{name} src={source:?}>");
            for (attribute, value) in &element.attributes {
                assert!(
                    !attribute.starts_with("on")
                        && !["style", "srcset", "srcdoc"].contains(&attribute.as_str())
                        && (attribute != "src" || is_loaded),
                    "<{name} {attribute}={value:?}>"
                );
                assert!(
                    name != "meta" || attribute != "http-equiv",
                    "<meta http-equiv={value:?}>"
                );
                if attribute == "href" {
                    let page = url::Url::parse("https://sidereal.example/dashboards/x/v/").expect("a URL");
                    let target = page.join(value).expect("a URL");
                    assert!(
                        matches!(target.scheme(), "http" | "https"),
                        "<{name} href={value:?}>"
                    );
                    let ours = target.host_str() == page.host_str();
                    // Told to search engines, fetched by nobody.
                    let is_named = name == "a" || element.attribute("rel") == Some("canonical");
                    assert!(is_named || ours, "<{name} href={value:?}>");
                }
            }
        }
    }
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Reader(RefCell<Html>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut html = self.0.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                let after = content_of(&tag.name);
                html.elements.push(element(tag));
                return after;
            }
            Token::CharacterTokens(text) => html.text.push_str(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn element(tag: Tag) -> Element {
    let attributes = tag.attrs.into_iter();
    Element {
        name: tag.name.to_string(),
        attributes: attributes
            .map(|attribute| (attribute.name.local.to_string(), attribute.value.to_string()))
            .collect(),
    }
}

/// How what follows a tag is read: some elements have no elements in them.
fn content_of(name: &LocalName) -> TokenSinkResult<()> {
    match &**name {
        "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "plaintext" => TokenSinkResult::Plaintext,
        _ => TokenSinkResult::Continue,
    }
}
