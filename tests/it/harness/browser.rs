//! As much of a browser as a login needs: it keeps cookies, follows redirects when told to, and fills in forms.

use std::sync::Mutex;

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use url::Url;

use super::site::{Reply, client};

/// One person's browser. Cookies are kept by host and path, as browsers do (a port is no boundary), and Secure ones
/// are sent to loopback also without TLS, as browsers do too.
#[derive(Default)]
pub struct Browser {
    cookies: Mutex<Vec<Cookie>>,
}

struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

impl Browser {
    /// A page; redirects are not followed.
    pub async fn get(&self, url: &str) -> Reply {
        self.send(client().get(url)).await
    }

    /// A page, or where its redirects lead in the end.
    pub async fn open(&self, url: &str) -> Reply {
        self.follow(self.get(url).await).await
    }

    /// Any request, with this browser's cookies; those of the answer are kept.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let built = request
            .try_clone()
            .and_then(|request| request.build().ok())
            .expect("a request whose body is no stream");
        let cookies = self.cookies_for(built.url());
        let reply = Reply::to(if cookies.is_empty() {
            request
        } else {
            request.header(COOKIE, cookies)
        })
        .await;
        for header in reply.headers.get_all(SET_COOKIE) {
            self.keep(&reply.url(), header.to_str().expect("a cookie in ASCII"));
        }
        reply
    }

    /// Follows redirects until there are none.
    pub async fn follow(&self, mut reply: Reply) -> Reply {
        for _ in 0..20 {
            if !(300..400).contains(&reply.status) {
                return reply;
            }
            reply = self.get(reply.next().as_str()).await;
        }
        panic!("{} goes round in circles", reply.origin);
    }

    /// Sends the first form of a page as a browser would: its hidden fields, then these (instead of those of the same
    /// name).
    pub async fn submit(&self, page: &Reply, fields: &[(&str, &str)]) -> Reply {
        let form = Form::of(page);
        let given = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let hidden = form
            .hidden
            .into_iter()
            .filter(|(name, _)| fields.iter().all(|(given, _)| given != name));
        let all: Vec<_> = hidden.chain(given).collect();
        let request = if form.method == Method::GET {
            client().get(form.action).query(&all)
        } else {
            client().request(form.method, form.action).form(&all)
        };
        self.send(request).await
    }

    /// The value of a cookie that would be sent to this URL.
    pub fn cookie(&self, url: &str, name: &str) -> Option<String> {
        let url = Url::parse(url).expect("a URL");
        let cookies = self.cookies.lock().expect("the cookies");
        cookies
            .iter()
            .find(|cookie| cookie.is_for(&url) && cookie.name == name)
            .map(|cookie| cookie.value.clone())
    }

    /// Keeps a cookie, of a header `Set-Cookie` in an answer from this URL.
    pub fn keep(&self, url: &Url, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        let (name, value) = parts
            .next()
            .and_then(|pair| pair.split_once('='))
            .expect("name=value");
        let mut path = url
            .path()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .to_owned();
        let mut ended = false;
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            match attribute.to_ascii_lowercase().as_str() {
                "path" => value.trim_end_matches('/').clone_into(&mut path),
                "max-age" => ended = value.parse::<i64>().expect("seconds") <= 0,
                // The only date that servers send on purpose is one to delete by.
                "expires" => ended |= value.contains(" 1970 ") || value.contains("-1970 "),
                _ => {}
            }
        }
        let host = url.host_str().expect("a host").to_owned();
        let mut cookies = self.cookies.lock().expect("the cookies");
        cookies.retain(|cookie| !(cookie.host == host && cookie.path == path && cookie.name == name));
        if !ended {
            cookies.push(Cookie {
                host,
                path,
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }

    /// `name=value; name=value`
    fn cookies_for(&self, url: &Url) -> String {
        let cookies = self.cookies.lock().expect("the cookies");
        let pairs: Vec<_> = cookies
            .iter()
            .filter(|cookie| cookie.is_for(url))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        pairs.join("; ")
    }
}

impl Cookie {
    fn is_for(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(self.path.as_str());
        url.host_str() == Some(self.host.as_str())
            && below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

impl Reply {
    /// Where a redirect leads, as a whole URL.
    #[track_caller]
    pub fn next(&self) -> Url {
        self.url().join(self.location()).expect("a URL")
    }
}

struct Form {
    action: Url,
    method: Method,
    hidden: Vec<(String, String)>,
}

impl Form {
    fn of(page: &Reply) -> Self {
        let text = page.text();
        let (_, form) = text
            .split_once("<form")
            .unwrap_or_else(|| panic!("{}: no form in {text}", page.origin));
        let (form, _) = form.split_once("</form>").expect("the form's end");
        let (head, body) = form.split_once('>').expect("the end of a tag");
        let action = attribute(head, "action").unwrap_or_default();
        let get = attribute(head, "method").is_none_or(|method| method.eq_ignore_ascii_case("get"));
        let inputs = body.split("<input").skip(1).map(|input| {
            let (input, _) = input.split_once('>').expect("the end of a tag");
            (
                attribute(input, "type"),
                attribute(input, "name"),
                attribute(input, "value"),
            )
        });
        let hidden = inputs.filter_map(|(kind, name, value)| {
            (kind.as_deref() == Some("hidden")).then(|| Some((name?, value.unwrap_or_default())))?
        });
        Self {
            action: page.url().join(&action).expect("where the form goes"),
            method: if get { Method::GET } else { Method::POST },
            hidden: hidden.collect(),
        }
    }
}

/// The value of a quoted attribute.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag
        .match_indices(&format!("{name}=\""))
        .find(|(at, _)| tag[..*at].ends_with(char::is_whitespace))?
        .0
        + name.len()
        + 2;
    let (value, _) = tag[start..].split_once('"')?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::header::HeaderMap;

    use super::*;

    #[test]
    fn cookies_go_where_they_came_from() {
        let browser = Browser::default();
        let url = Url::parse("http://127.0.0.1:1/realms/a/login").expect("a URL");
        browser.keep(&url, "ONE=1; Path=/realms/a/; Secure; HttpOnly; SameSite=None");
        browser.keep(&url, "two=2; path=/");
        assert_eq!(browser.cookies_for(&url), "ONE=1; two=2");
        for elsewhere in ["http://127.0.0.1:2/", "http://127.0.0.1:1/realms/ab"] {
            assert_eq!(browser.cookie(elsewhere, "ONE"), None);
            assert_eq!(browser.cookie(elsewhere, "two").as_deref(), Some("2"));
        }
        assert_eq!(browser.cookie("http://localhost:1/", "two"), None);

        browser.keep(&url, "ONE=; Path=/realms/a; Max-Age=0");
        browser.keep(&url, "two=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(browser.cookies_for(&url), "");
    }

    #[test]
    fn a_form_is_read() {
        let page = Reply {
            origin: "GET http://127.0.0.1:1/a/b?c".to_owned(),
            status: 200,
            headers: HeaderMap::new(),
            body: Bytes::from_static(
                b"<p><form id=\"f\" data-action=\"no\" action=\"../d?e=1&amp;f=2\" method=\"post\">\
                <input type=\"hidden\" name=\"code\" value=\"&quot;1\"/><input name=\"user\" value=\"x\"></form>",
            ),
        };
        let form = Form::of(&page);
        assert_eq!(form.action.as_str(), "http://127.0.0.1:1/d?e=1&f=2");
        assert_eq!(form.method, Method::POST);
        assert_eq!(form.hidden, [("code".to_owned(), "\"1".to_owned())]);
    }
}
