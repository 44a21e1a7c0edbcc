//! Maps and sets of ids, which are looked up for each row of a day: hashed by `foldhash`, several times quicker than by
//! the standard library's hasher, whose defence against chosen keys numbers of CloudStack's own need not have.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

pub type IdMap<K, V> = HashMap<K, V, RandomState>;
pub type IdSet<K> = HashSet<K, RandomState>;
