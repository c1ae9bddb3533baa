//! Keys: who may do what over HTTP. A key is one object that is made once; that it is revoked is another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::ValueEnum;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result, While};
use crate::store::digest::sha256;
use crate::store::warehouse::Warehouse;

const KEYS: &str = "registry/key";
const USES: &str = "registry/key_use";
const MADE: &str = ".json";
const REVOKED: &str = ".revoked";
/// What the text of a key begins with, so that it is known where it should not be.
const MARK: &str = "mh_";
/// Random bytes of an id, and of a secret.
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;
/// The most letters of a name.
const NAME_LETTERS: usize = 100;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Sending usage, and voiding it.
    Land,
    /// Reading whatever can be read.
    Read,
    /// Saying what the invoicing system has booked.
    Book,
    /// Seeing how the service does, making runs, closing, starting jobs.
    Operate,
}

impl Scope {
    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Land => "land",
            Self::Read => "read",
            Self::Book => "book",
            Self::Operate => "operate",
        }
    }
}

/// What a key is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose it is, or what for.
    pub name: String,
    /// What it may do; not empty.
    pub scopes: BTreeSet<Scope>,
    /// The sources whose usage it may send and void; none: all.
    pub sources: Option<BTreeSet<String>>,
    /// The customers of whom it may read, and say what is booked; none: all.
    pub customers: Option<BTreeSet<String>>,
}

/// A key, as the warehouse has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Tells it from the others, 16 hexadecimal digits; it is not a secret.
    pub id: String,
    /// Whose it is, or what for.
    pub name: String,
    /// Of its whole text.
    sha256: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The sources whose usage it may send and void; none: all.
    pub sources: Option<BTreeSet<String>>,
    /// The customers of whom it may read, and say what is booked; none: all.
    pub customers: Option<BTreeSet<String>>,
    /// Who made it.
    pub by: String,
    /// When, in microseconds since the epoch.
    pub at: i64,
}

/// That a key does not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Who revoked it.
    pub by: String,
    /// When, in microseconds since the epoch.
    pub at: i64,
    /// Why.
    pub reason: String,
}

/// Makes a key, and returns it with its text, `mh_<id>_<secret>`. The text is nowhere else.
///
/// `at` is the clock in microseconds since the epoch.
///
/// # Errors
/// A name that is none, no scope, sources without the scope `land`, customers without `read` and `book`.
pub async fn make(warehouse: &Warehouse, wanted: Wanted, by: &str, at: i64) -> Result<(Key, String)> {
    let Wanted { name, scopes, sources, customers } = wanted;
    let name = name.trim().to_string();
    if name.is_empty() || name.chars().count() > NAME_LETTERS || name.chars().any(char::is_control) {
        let hint = format!("say whose it is or what for, in at most {NAME_LETTERS} letters");
        return Err(Error::usage("a key cannot have that name", hint));
    }
    if scopes.is_empty() {
        return Err(Error::usage(
            "a key without a scope may do nothing",
            "--scope land, read, book or operate",
        ));
    }
    let bounds =
        [(&sources, &[Scope::Land][..], "--source"), (&customers, &[Scope::Read, Scope::Book], "--customer")];
    for (bound, of, flag) in bounds {
        if bound.as_ref().is_some_and(|names| names.iter().any(|name| name.trim().is_empty())) {
            return Err(Error::usage(format!("{flag} without a name"), "leave it out for all"));
        }
        if bound.is_some() && of.iter().all(|scope| !scopes.contains(scope)) {
            let words = of.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(" or ");
            let what = format!("{flag} has no effect without the scope {words}");
            return Err(Error::usage(what, format!("--scope {words}")));
        }
    }
    let id = random(ID_BYTES)?;
    let text = format!("{MARK}{id}_{}", random(SECRET_BYTES)?);
    let key = Key { id, name, sha256: sha256(&text), scopes, sources, customers, by: by.into(), at };
    let path = made_at(&key.id);
    let bytes = serde_json::to_vec(&key).during(|| format!("writing {path}"))?;
    if !warehouse.create_durable(&path, bytes).await? {
        return Err(Error::Busy { what: format!("a key {} is there already", key.id) });
    }
    Ok((key, text))
}

/// Revokes a key for good; returns what is written of it where that was done before.
///
/// # Errors
/// No key of that id.
pub async fn revoke(warehouse: &Warehouse, id: &str, revocation: &Revocation) -> Result<Option<Revocation>> {
    let no_key = || Error::usage(format!("there is no key {id}"), "meterhouse key list shows the ids");
    if !is_id(id) || !warehouse.has(&made_at(id)).await? {
        return Err(no_key());
    }
    let path = revoked_at(id);
    let bytes = serde_json::to_vec(revocation).during(|| format!("writing {path}"))?;
    if warehouse.create_durable(&path, bytes).await? {
        return Ok(None);
    }
    read(warehouse, &path).await.map(Some)
}

/// The keys there are.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    keys: BTreeMap<String, Arc<Key>>,
    revoked: BTreeSet<String>,
    /// Some that cannot be read: a machine stopped before they were whole, so that nobody was given them.
    has_broken: bool,
}

impl Keys {
    /// The keys that the warehouse has now. What is known of a key is not read again: none ever changes.
    pub async fn read_again(&self, warehouse: &Warehouse) -> Result<Self> {
        let names = warehouse.list(KEYS).await?;
        let revoked = ids(&names, REVOKED);
        let (mut keys, mut has_broken) = (BTreeMap::new(), false);
        for id in ids(&names, MADE) {
            let known = self.keys.get(&id).cloned();
            let key = match known {
                Some(key) => Some(key),
                None => {
                    let bytes = warehouse.read(&made_at(&id)).await?.unwrap_or_default();
                    serde_json::from_slice(&bytes).ok().map(Arc::new)
                }
            };
            match key {
                Some(key) => _ = keys.insert(id, key),
                None => has_broken = true,
            }
        }
        Ok(Self { keys, revoked, has_broken })
    }

    /// Whether there never was one.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && !self.has_broken
    }

    /// All of them, those that are revoked among them, by their ids.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }

    /// Those that are not revoked.
    pub fn in_force(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.all().filter(|key| !self.revoked.contains(&key.id))
    }

    /// The key with that text, unless it is revoked. How long it takes says nothing of a secret.
    pub fn of_text(&self, text: &str) -> Option<&Arc<Key>> {
        let key = self.keys.get(id_of(text)?)?;
        let is_same: bool = sha256(text).as_bytes().ct_eq(key.sha256.as_bytes()).into();
        (is_same && !self.revoked.contains(&key.id)).then_some(key)
    }
}

/// That a key is revoked; none if it is not.
pub async fn revocation(warehouse: &Warehouse, id: &str) -> Result<Option<Revocation>> {
    let path = revoked_at(id);
    match warehouse.read(&path).await? {
        Some(bytes) => serde_json::from_slice(&bytes).during(|| format!("reading {path}")).map(Some),
        None => Ok(None),
    }
}

/// Notes that a key was used on a day, such as `2026-10-31`.
pub async fn note_use(warehouse: &Warehouse, id: &str, day: &str) -> Result<()> {
    warehouse.create(&Path::from(format!("{USES}/{id}.{day}")), Vec::new()).await?;
    Ok(())
}

/// The last day on which each key was used, by id.
pub async fn last_uses(warehouse: &Warehouse) -> Result<BTreeMap<String, String>> {
    let names = warehouse.list(USES).await?;
    // In order, so that the last one of a key stays.
    Ok(names
        .iter()
        .filter_map(|name| name.split_once('.'))
        .map(|(id, day)| (id.into(), day.into()))
        .collect())
}

/// The id in the text of a key, or an id; none if it is neither.
///
/// ```
/// use meterhouse::access::key::id_of;
/// assert_eq!(id_of("mh_0123456789abcdef_77"), Some("0123456789abcdef"));
/// assert_eq!(id_of("0123456789abcdef"), Some("0123456789abcdef"));
/// assert_eq!(id_of("mh_../x_77"), None);
/// ```
pub fn id_of(text: &str) -> Option<&str> {
    let id = match text.strip_prefix(MARK) {
        Some(rest) => rest.split_once('_')?.0,
        None => text,
    };
    is_id(id).then_some(id)
}

fn is_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn ids(names: &BTreeSet<String>, extension: &str) -> BTreeSet<String> {
    names
        .iter()
        .filter_map(|name| name.strip_suffix(extension))
        .filter(|id| is_id(id))
        .map(String::from)
        .collect()
}

fn made_at(id: &str) -> Path {
    Path::from(format!("{KEYS}/{id}{MADE}"))
}

fn revoked_at(id: &str) -> Path {
    Path::from(format!("{KEYS}/{id}{REVOKED}"))
}

async fn read<T: serde::de::DeserializeOwned>(warehouse: &Warehouse, path: &Path) -> Result<T> {
    let bytes = warehouse.read(path).await?.ok_or_else(|| {
        Error::data(
            format!("{path} is gone from the warehouse"),
            "bring it back from a copy of the warehouse",
        )
    })?;
    serde_json::from_slice(&bytes).during(|| format!("reading {path}"))
}

/// So many bytes that nobody can guess, in hexadecimal.
fn random(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::getrandom(&mut random).during(|| "asking the operating system for random bytes".into())?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use url::Url;

    use super::*;

    fn warehouse() -> Warehouse {
        Warehouse::over(Arc::new(InMemory::new()), Url::parse("memory:///").unwrap()).unwrap()
    }

    fn wanted(scopes: &[Scope]) -> Wanted {
        let scopes = scopes.iter().copied().collect();
        Wanted { name: "shop".into(), scopes, sources: None, customers: None }
    }

    #[tokio::test]
    async fn a_key_counts_until_it_is_revoked_and_its_secret_is_nowhere() {
        let warehouse = warehouse();
        let (key, text) = make(&warehouse, wanted(&[Scope::Land]), "anna", 7).await.unwrap();
        let secret = text.strip_prefix(&format!("mh_{}_", key.id)).unwrap();
        assert_eq!(secret.len(), 64);
        let kept = warehouse.read(&made_at(&key.id)).await.unwrap().unwrap();
        assert!(!String::from_utf8(kept).unwrap().contains(secret));

        let keys = Keys::default().read_again(&warehouse).await.unwrap();
        assert_eq!(keys.of_text(&text).map(|found| found.name.as_str()), Some("shop"));
        let other = format!("{}0", &text[..text.len() - 1]);
        for wrong in ["", "mh_", &key.id, &text[..text.len() - 1], &other[1..], "mh_0123456789abcdef_00"] {
            assert!(keys.of_text(wrong).is_none(), "{wrong}");
        }

        let revocation = Revocation { by: "ben".into(), at: 9, reason: "lost".into() };
        assert_eq!(revoke(&warehouse, &key.id, &revocation).await.unwrap(), None);
        let again = Revocation { by: "cleo".into(), ..revocation.clone() };
        assert_eq!(revoke(&warehouse, &key.id, &again).await.unwrap(), Some(revocation));
        let keys = keys.read_again(&warehouse).await.unwrap();
        assert!(keys.of_text(&text).is_none() && !keys.is_empty() && keys.in_force().next().is_none());
        assert!(revoke(&warehouse, "0123456789abcdef", &again).await.is_err());

        // One that is not whole opens nothing, and keeps nobody out.
        let other = self::warehouse();
        assert!(other.create(&made_at("0123456789abcdef"), Vec::new()).await.unwrap());
        let keys = Keys::default().read_again(&other).await.unwrap();
        assert!(!keys.is_empty() && keys.all().next().is_none());
    }

    #[tokio::test]
    async fn what_a_key_is_bound_to_belongs_to_a_scope() {
        let warehouse = warehouse();
        let some = || Some(BTreeSet::from(["a".to_string()]));
        let refused = [
            wanted(&[]),
            Wanted { name: " ".into(), ..wanted(&[Scope::Read]) },
            Wanted { sources: some(), ..wanted(&[Scope::Read]) },
            Wanted { customers: some(), ..wanted(&[Scope::Land, Scope::Operate]) },
            Wanted { customers: Some(BTreeSet::from([String::new()])), ..wanted(&[Scope::Read]) },
        ];
        for wanted in refused {
            assert!(matches!(make(&warehouse, wanted, "anna", 7).await, Err(Error::Usage { .. })));
        }
    }

    #[tokio::test]
    async fn the_last_use_of_a_key_is_its_last_day() {
        let warehouse = warehouse();
        for (id, day) in [("a", "2026-10-31"), ("a", "2026-11-01"), ("b", "2026-10-02"), ("a", "2026-09-30")]
        {
            note_use(&warehouse, id, day).await.unwrap();
        }
        let uses = last_uses(&warehouse).await.unwrap();
        assert_eq!(
            uses.into_iter().collect::<Vec<_>>(),
            [("a".to_string(), "2026-11-01".to_string()), ("b".to_string(), "2026-10-02".to_string())]
        );
    }
}
