//! An error as a page, for clients that prefer HTML to what the API says.

use maud::html;
use serde_json::Value;

use super::links;
use super::shell::{CONTENT_TYPE, HtmlPage, headers};
use crate::http::response::{REVALIDATE, Response, reason};
use crate::http::v1::negotiate;

/// Whether a client that asks like this wants to see its errors as pages: a browser does, `curl` does not.
pub fn is_wanted(accept: Option<&str>) -> bool {
    let names = ["application/json", "application/problem+json", "text/csv"];
    let with_page = [names[0], names[1], names[2], "text/html"];
    negotiate::first_choice(accept, &with_page) == names.len()
}

/// The same error with the same headers, as a page; what is no error stays as it is.
pub fn as_page(path: &str, response: &Response) -> Option<Response> {
    let status = response.status;
    if status < 400 {
        return None;
    }
    let sentence = sentence(&response.body)?;
    let title = format!("{status} {}", reason(status));
    let root = links::root_from(path);
    let content = html! {
        h1 { (title) }
        p { (sentence) }
        p { a href=(root) { "The last finished month" } }
    };
    let page = HtmlPage {
        title: &title,
        root: &root,
        content,
    };
    let mut answer = Response::of(CONTENT_TYPE, status, page.html().into_bytes());
    let kept = response.headers.iter().filter(|(name, _)| {
        // Not to be kept at all: the same address has another form for others.
        !["Content-Type", "Content-Encoding", REVALIDATE.0].contains(name)
    });
    answer.headers.extend(kept.cloned());
    answer.headers.extend(headers());
    Some(answer)
}

/// What an error of either form says to people.
fn sentence(body: &[u8]) -> Option<String> {
    let error: Value = serde_json::from_slice(body).ok()?;
    let said = ["detail", "message"].iter().find_map(|key| error.get(key));
    Some(said?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::refusal::{Problem, error};

    #[test]
    fn only_who_prefers_pages_gets_one() {
        for (accept, wanted) in [
            (None, false),
            (Some("*/*"), false),
            (Some("text/html"), true),
            (
                Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
                true,
            ),
            (Some("application/json, text/html;q=0.9"), false),
            (Some("text/html, application/json"), false),
            (Some("text/csv, */*;q=0.1"), false),
            (Some("image/png"), false),
        ] {
            assert_eq!(is_wanted(accept), wanted, "{accept:?}");
        }
    }

    #[test]
    fn an_error_of_either_form_becomes_a_page_that_quotes_harmlessly() {
        let old = error(405, "no <b>").with("X-Kept", "yes");
        let page = as_page("/usage/x", &old).unwrap();
        assert_eq!((page.status, page.header("X-Kept")), (405, Some("yes")));
        assert_eq!(page.header("Allow"), Some("GET, HEAD"));
        assert_eq!(page.header("Content-Type"), Some(CONTENT_TYPE));
        let text = String::from_utf8(page.body).unwrap();
        assert!(text.contains("<h1>405 Method Not Allowed</h1><p>no &lt;b&gt;</p>"));
        assert!(text.contains("<a href=\"../\">"), "{text}");
        let new = Problem::new(404, "no account").response();
        let page = as_page("/", &new).unwrap();
        assert_eq!(page.header("Cache-Control"), None);
        assert!(
            String::from_utf8(page.body)
                .unwrap()
                .contains("<p>no account</p>")
        );
        assert_eq!(as_page("/", &Response::of("text/html", 200, vec![])), None);
    }
}
