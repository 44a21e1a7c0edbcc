//! How far the usage server has got with its work.

/// How far the source has got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watermark {
    /// Everything before this instant is finished; seconds since 1970 UTC.
    pub finished_until: i64,
    pub kind: WatermarkKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatermarkKind {
    /// From the usage server's own account of its jobs.
    Job,
    /// From the newest usage row, as the jobs cannot be read. An idle cloud never gets there.
    NewestRow,
}
