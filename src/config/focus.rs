//! `[focus]`: whom FOCUS names as those who sell, make and invoice what is used, which no database knows.

use super::values::Values;

/// `[focus]`; `None`: it is not written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FocusNames {
    pub provider: Option<String>,
    /// The provider unless it is written.
    pub publisher: Option<String>,
    /// The provider unless it is written.
    pub invoice_issuer: Option<String>,
}

/// Reads all of it, or notes what is wrong.
pub fn read(values: &mut Values) -> Option<FocusNames> {
    let name = |text: &str| Ok((!text.trim().is_empty()).then(|| text.to_owned()));
    let provider = values.read("focus.provider", name);
    let publisher = values.read("focus.publisher", name);
    let invoice_issuer = values.read("focus.invoice_issuer", name);
    let provider = provider?;
    Some(FocusNames {
        publisher: publisher?.or_else(|| provider.clone()),
        invoice_issuer: invoice_issuer?.or_else(|| provider.clone()),
        provider,
    })
}

impl FocusNames {
    /// Of the columns that need a name, those that have none.
    pub fn missing(&self) -> Vec<&'static str> {
        let columns = [
            ("InvoiceIssuerName", &self.invoice_issuer),
            ("ProviderName", &self.provider),
            ("PublisherName", &self.publisher),
        ];
        let missing = columns.into_iter().filter(|(_, name)| name.is_none());
        missing.map(|(column, _)| column).collect()
    }
}
