//! `init --empty`: a project of one's own, with all rules and without any data but its zone and currencies.

use std::path::{Path, PathBuf};

use meterhouse_sql::cycle::TimeZone;

use super::{Sample, init};
use crate::error::{Error, Result, While};
use crate::project::settings;

/// Its settings, with a place for the zone.
const SETTINGS: &str = include_str!("empty.toml");
/// The reference files that every project fills: they are written with their header.
const HEADERS: [&str; 4] =
    ["data/customer.csv", "data/contract.csv", "data/contract_item.csv", "data/price.csv"];
/// The file of the currencies.
const CURRENCIES: &str = "data/currency.csv";
/// The folder that usage is put into.
const USAGE: &str = "usage";
/// What only the sample needs.
const OF_SAMPLE: &str = "queries/generate";

/// What a project begins with.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The zone of times without an offset.
    pub time_zone: TimeZone,
    /// Its currencies.
    pub currencies: Vec<Currency>,
}

/// A currency, and how its amounts are rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    code: String,
    decimals: u8,
    rounding: String,
}

impl Currency {
    /// Reads `EUR:2`, or `USD:2:half_even`; without a third part halves go up.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let hint = "write its code and decimals, such as EUR:2 or JPY:0; USD:2:half_even rounds to even";
            Error::usage(format!("`{text}` is not a currency"), hint)
        };
        let mut parts = text.trim().split(':');
        let code = parts.next().unwrap_or_default();
        let decimals = parts.next().and_then(|decimals| decimals.parse().ok());
        let rounding = parts.next().unwrap_or("half_up");
        let is_code =
            code.len() >= 3 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        match decimals.filter(|decimals| *decimals <= 12) {
            Some(decimals)
                if is_code && parts.next().is_none() && ["half_up", "half_even"].contains(&rounding) =>
            {
                Ok(Self { code: code.into(), decimals, rounding: rounding.into() })
            }
            _ => Err(wrong()),
        }
    }
}

impl Beginning {
    /// From what was typed.
    ///
    /// # Errors
    /// An unknown zone, no currency, or one that is there twice.
    pub fn parse(time_zone: &str, currencies: &[String]) -> Result<Self> {
        let zone = TimeZone::get(time_zone.trim()).map_err(|error| {
            let hint = match TimeZone::nearest(time_zone.trim()) {
                Some(near) => format!("did you mean {near}?"),
                None => "write an IANA name, such as Europe/Berlin or UTC".into(),
            };
            Error::usage(format!("--time-zone: {error}"), hint)
        })?;
        let mut found: Vec<Currency> = Vec::new();
        for text in currencies.iter().flat_map(|list| list.split([',', ' '])).filter(|text| !text.is_empty())
        {
            let currency = Currency::parse(text)?;
            if found.iter().any(|other| other.code == currency.code) {
                return Err(Error::usage(
                    format!("{} is given twice", currency.code),
                    "name each currency once",
                ));
            }
            found.push(currency);
        }
        if found.is_empty() {
            return Err(Error::usage("no currency is given", "write --currency EUR:2, once for each"));
        }
        Ok(Self { time_zone: zone, currencies: found })
    }
}

/// Writes the project's files into a folder, which is made where it is not there, and returns how many.
///
/// # Errors
/// As [`init`].
pub fn init_empty(folder: &Path, sample: Sample, beginning: &Beginning) -> Result<usize> {
    let header =
        |content: &[u8]| content.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
    let mut files: Sample = Vec::new();
    for (path, content) in sample {
        let is_rule = path.starts_with("schemas") || path.starts_with("queries");
        if is_rule && !path.starts_with(OF_SAMPLE) {
            files.push((path, content));
        } else if HEADERS.iter().any(|file| path == Path::new(file)) {
            let text = header(&content).into();
            files.push((path, text));
        } else if path == Path::new(CURRENCIES) {
            let mut text = header(&content);
            for Currency { code, decimals, rounding } in &beginning.currencies {
                text.extend(format!("{code},{decimals},{rounding}\n").into_bytes());
            }
            files.push((path, text.into()));
        }
    }
    let settings = SETTINGS.replace("{time_zone}", beginning.time_zone.name());
    files.push((PathBuf::from(settings::FILE), settings.into_bytes().into()));
    let count = init(folder, files)?;
    let usage = folder.join(USAGE);
    std::fs::create_dir_all(&usage).during(|| format!("making {}", usage.display()))?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_say_their_decimals() {
        let read = |text: &str| Currency::parse(text).map(|currency| (currency.decimals, currency.rounding));
        assert_eq!(read("EUR:2").unwrap(), (2, "half_up".into()));
        assert_eq!(read(" USD:2:half_even").unwrap(), (2, "half_even".into()));
        for text in ["EUR", "eur:2", "EUR:13", "EUR:x", "EUR:2:up", "EUR:2:half_up:x", "E,R:2", ""] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_beginning_is_a_zone_and_some_currencies() {
        let list = |text: &str| vec![text.to_string()];
        assert_eq!(Beginning::parse("UTC", &list("EUR:2, JPY:0")).unwrap().currencies.len(), 2);
        for (zone, currencies, hint) in [
            ("Berlin", "EUR:2", "did you mean Europe/Berlin?"),
            ("UTC", "", "write --currency EUR:2, once for each"),
            ("UTC", "EUR:2,EUR:2", "name each currency once"),
        ] {
            assert_eq!(Beginning::parse(zone, &list(currencies)).unwrap_err().hint(), hint);
        }
    }
}
