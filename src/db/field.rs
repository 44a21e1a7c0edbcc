//! One value of a result row, and how it is read as what it stands for: what a driver makes of a column differs.

use anyhow::Context;

use crate::instant::Utc;

/// One value of a result row, borrowed from the driver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    Null,
    Integer(i64),
    Unsigned(u64),
    Real(f64),
    Text(&'a [u8]),
    /// Seconds since 1970 UTC.
    Moment(i64),
}

impl Field<'_> {
    /// An id or count; 0 for NULL.
    pub fn id(self) -> anyhow::Result<u64> {
        Ok(self.unsigned()?.unwrap_or(0))
    }

    pub fn unsigned(self) -> anyhow::Result<Option<u64>> {
        match self {
            Field::Null => Ok(None),
            Field::Unsigned(number) => Ok(Some(number)),
            Field::Integer(number) => Ok(Some(u64::try_from(number).context("a negative number")?)),
            Field::Text(text) => Ok(Some(
                std::str::from_utf8(text)?
                    .parse()
                    .context("a text instead of a number")?,
            )),
            // Tools that know no NULL among whole numbers write 3 as 3.0 into a snapshot.
            Field::Real(number)
                if number.fract() == 0.0 && (0.0..=2f64.powi(53)).contains(&number) =>
            {
                Ok(Some(number as u64))
            }
            Field::Real(_) | Field::Moment(_) => {
                anyhow::bail!("{self:?} instead of a whole number")
            }
        }
    }

    pub fn real(self) -> anyhow::Result<f64> {
        match self {
            Field::Real(number) => Ok(number),
            // CloudStack's whole-number amounts are bytes and counts far below 2^53.
            Field::Integer(number) => Ok(number as f64),
            Field::Unsigned(number) => Ok(number as f64),
            Field::Text(text) => std::str::from_utf8(text)?
                .parse()
                .context("a text instead of a number"),
            Field::Null | Field::Moment(_) => anyhow::bail!("{self:?} instead of a number"),
        }
    }

    pub fn text(self) -> anyhow::Result<Option<String>> {
        match self {
            Field::Null => Ok(None),
            // Old tables hold whatever a client once sent; a name is worth keeping with a mark in it.
            Field::Text(text) => Ok(Some(String::from_utf8_lossy(text).into_owned())),
            Field::Integer(number) => Ok(Some(number.to_string())),
            Field::Unsigned(number) => Ok(Some(number.to_string())),
            Field::Real(number) => Ok(Some(number.to_string())),
            Field::Moment(_) => anyhow::bail!("a date instead of a text"),
        }
    }

    /// Seconds since 1970 UTC; CloudStack's DATETIMEs are GMT.
    pub fn moment(self) -> anyhow::Result<Option<i64>> {
        match self {
            Field::Null => Ok(None),
            Field::Moment(seconds) => Ok(Some(seconds)),
            Field::Text(text) => Ok(Some(Utc::from_sql(text)?.unix())),
            Field::Integer(_) | Field::Unsigned(_) | Field::Real(_) => {
                anyhow::bail!("{self:?} instead of a date")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_stored() {
        assert_eq!(
            Field::Unsigned(u64::MAX).unsigned().unwrap(),
            Some(u64::MAX)
        );
        assert_eq!(Field::Text(b"42").unsigned().unwrap(), Some(42));
        assert_eq!(Field::Null.id().unwrap(), 0);
        assert_eq!(Field::Integer(3).real().unwrap(), 3.0);
        assert!(Field::Integer(-1).unsigned().is_err());
        assert_eq!(Field::Real(3.0).unsigned().unwrap(), Some(3));
        for wrong in [0.5, -1.0, 1e17, f64::NAN] {
            assert!(Field::Real(wrong).unsigned().is_err());
        }
        assert!(Field::Null.real().is_err());
    }
}
