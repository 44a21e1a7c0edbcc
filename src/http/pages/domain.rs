//! `GET /domains/{path}`: a month of a domain with all that lies in it. Its totals beside those of the month before, its
//! domains and its largest accounts by one metric.

use maud::html;

use super::months::{chosen, neighbours};
use super::shell::{HtmlPage, body, month_name, scope_note};
use super::totals::MonthUsage;
use super::{days, links};
use crate::http::refusal::Rejection;
use crate::http::v1::context::{Body, Context};

pub const PARAMETERS: [&str; 2] = ["month", "metric"];

const ROOT: &str = "../";

pub fn answer(context: &Context) -> Result<Body, Rejection> {
    let month = chosen(context)?;
    let asked = context.query.metrics()?.into_iter().next();
    let (found, selection) = context.find_domain(context.argument)?;
    let mut in_month = selection.clone();
    in_month.cut(month.days());
    let path = found.path_among(in_month.domains_newest_first());
    let called = path.or(found.uuid.as_deref()).unwrap_or(context.argument);
    let shown = days::list(context, month)?;
    let address = links::encoded(context.argument);
    let usage = MonthUsage::read(context, selection, month, asked)?.map(|usage| {
        let programs = format!("{ROOT}v1/domains/{address}/usage?month={month}");
        html! {
            (usage.totals(month, &programs))
            (usage.domains(ROOT, month))
            (usage.largest(ROOT, month))
        }
    });
    let title = format!("{called}, {}", month_name(month));
    let content = html! {
        h1 { (called) " " small { (month_name(month)) } }
        (neighbours(context, month))
        (scope_note(context))
        p { (days::standing(&shown)) }
        @if let Some(uuid) = &found.uuid { p { "Domain " code { (uuid) } } }
        (usage.unwrap_or_else(|why| html! { p { "There are too many accounts for one page: " (why) "." } }))
    };
    let page = HtmlPage {
        title: &title,
        root: ROOT,
        content,
    };
    Ok(body(context, &page)?)
}
