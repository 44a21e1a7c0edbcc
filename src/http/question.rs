//! A request that has found its endpoint: who asks, for what, and by which terms.

use super::auth::User;
use super::request::Request;
use super::state::State;
use crate::day::Day;
use crate::output::Format;

pub struct Question<'a> {
    pub state: &'a State,
    pub request: &'a Request<'a>,
    pub user: &'a User,
    /// Every parameter that the query may have, and what the answer may come as.
    pub parameters: &'static [&'static str],
    pub formats: &'static [(Format, &'static str)],
    /// What stands in the places of the path's parameters, decoded, in their order.
    pub arguments: Vec<String>,
    /// Where a question names no start.
    pub yesterday: Day,
    /// A question of more days is refused.
    pub max_days: i64,
}
