//! Opens, migrates, writes and reads the ledger: the only module with the ledger's SQL.
