//! Pages of a list that is read as a whole: which part of it is shown, and the way to the others.

use std::ops::Range;

use maud::{Markup, html};

use crate::http::refusal::{Problem, Rejection};
use crate::http::v1::context::Context;

pub struct Paging {
    /// From 1 on.
    page: usize,
    /// Entries of a page, and of all.
    most: usize,
    all: usize,
}

impl Paging {
    /// The page that the query asks for, of so many entries. One beyond the last is the last: a list may have become
    /// shorter.
    pub fn chosen(context: &Context, all: usize, most: usize) -> Result<Paging, Rejection> {
        let pages = all.div_ceil(most).max(1);
        let Some(text) = context.query.get("page") else {
            let page = 1;
            return Ok(Paging { page, most, all });
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        let asked: usize = number.filter(|number| *number > 0).ok_or_else(|| {
            let detail = format!("page: {text:?} is not a whole number from 1 on");
            Problem::of_parameter("page", detail)
        })?;
        let page = asked.min(pages);
        Ok(Paging { page, most, all })
    }

    /// The places of the page's entries.
    pub fn range(&self) -> Range<usize> {
        let first = (self.page - 1) * self.most;
        first..(first + self.most).min(self.all)
    }

    /// Links to the pages before and after; nothing if there is one page. `query` is the rest of the query, with an `&`
    /// at its end.
    pub fn links(&self, query: &str, anchor: &str) -> Markup {
        let Range { start, end } = self.range();
        let link = |page: usize| format!("?{query}page={page}{anchor}");
        html! {
            @if self.all > self.most {
                nav.months aria-label="Pages of the list" {
                    @if self.page > 1 { a rel="prev" href=(link(self.page - 1)) { "← Those before" } }
                    span { (start + 1) " to " (end) " of " (self.all) }
                    @if end < self.all { a rel="next" href=(link(self.page + 1)) { "Those after →" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_is_shorter_and_has_none_after_it() {
        let paging = Paging {
            page: 3,
            most: 40,
            all: 95,
        };
        assert_eq!(paging.range(), 80..95);
        let shown = paging.links("month=2026-10&", "#resources").into_string();
        assert!(shown.contains("href=\"?month=2026-10&amp;page=2#resources\""));
        assert!(shown.contains("81 to 95 of 95"));
        assert!(!shown.contains("Those after"));
        let one = Paging {
            page: 1,
            most: 40,
            all: 40,
        };
        assert_eq!(one.range(), 0..40);
        assert_eq!(one.links("", "").into_string(), "");
    }
}
