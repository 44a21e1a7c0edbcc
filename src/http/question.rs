//! A request whose endpoint is known: its user, its parameters and its limits.

use std::sync::Arc;

use super::auth::User;
use super::prices::ServedPrices;
use super::request::Request;
use super::state::State;
use crate::day::Day;
use crate::output::Format;

pub struct Question<'a> {
    pub state: &'a State,
    pub request: &'a Request<'a>,
    pub user: &'a User,
    /// The parameters that the query may have, and the formats that the answer may have.
    pub parameters: &'static [&'static str],
    pub formats: &'static [(Format, &'static str)],
    /// The values of the path's parameters, decoded, in their order.
    pub arguments: Vec<String>,
    /// The day that is meant if a question names no start.
    pub yesterday: Day,
    /// A question of more days is refused.
    pub max_days: i64,
    /// `None`: there are none.
    pub prices: Option<Arc<ServedPrices>>,
}
