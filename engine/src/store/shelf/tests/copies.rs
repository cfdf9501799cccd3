//! Copies of the files, taken before an erasure: what was erased does not open in them, everything else does.

use std::path::Path;

use super::*;

async fn open(folder: &Path, keys: &Arc<dyn KeyProvider>) -> Result<Shelves, StoreError> {
    let entropy = Arc::new(Entropy::system());
    Shelves::sled(folder, keys.clone(), entropy, crate::fixtures::clock()).await
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(&path, &to).map(drop).unwrap() }
    }
}

async fn text(shelves: &Shelves, name: &str) -> Option<String> {
    shelves.shelf::<R23SealedParcel>().get::<Note>(name).await.unwrap().map(|stored| stored.value.0)
}

async fn request(shelves: &Shelves, name: &str) -> Option<String> {
    shelves.shelf::<R16RightsRequest>().get::<Request>(name).await.unwrap().map(|stored| stored.value.0)
}

/// Two persons' records are copied, then one person's are erased.
async fn erased() -> (tempfile::TempDir, Arc<dyn KeyProvider>) {
    let folder = tempfile::tempdir().unwrap();
    let (live, keys) = (folder.path().join("live"), keys());
    let shelves = open(&live, &keys).await.unwrap();
    for name in ["one", "two"] {
        let term = Term::from(crate::fixtures::now());
        shelves.shelf().put(name, &Note(name.into()), Expect::Absent, term).await.unwrap();
        shelves.shelf().put(name, &Request(name.into()), Expect::Absent, Term::open()).await.unwrap();
    }
    copy(&live, &folder.path().join("copy"));
    shelves.shelf::<R23SealedParcel>().delete::<Note>("one").await.unwrap();
    shelves.shelf::<R16RightsRequest>().delete::<Request>("one").await.unwrap();
    drop(shelves);
    (folder, keys)
}

fn place(folder: &Path, name: &str, parts: [(&str, &str); 3]) -> std::path::PathBuf {
    let to = folder.join(name);
    std::fs::create_dir_all(&to).unwrap();
    for (part, from) in parts {
        let (from, to) = (folder.join(from).join(part), to.join(part));
        if from.is_dir() { copy(&from, &to) } else { std::fs::copy(from, to).map(drop).unwrap() }
    }
    to
}

#[tokio::test]
async fn an_older_store_with_the_newest_tables_has_everything_but_what_was_erased() {
    let (folder, keys) = erased().await;
    let parts = [("store", "copy"), ("tables", "live"), ("roots", "live")];
    let shelves = open(&place(folder.path(), "restored", parts), &keys).await.unwrap();
    assert_eq!((text(&shelves, "one").await, request(&shelves, "one").await), (None, None));
    assert_eq!(text(&shelves, "two").await.as_deref(), Some("two"));
    assert_eq!(request(&shelves, "two").await.as_deref(), Some("two"));
    let names = shelves.shelf::<R16RightsRequest>().names::<Request>().await.unwrap();
    assert_eq!(names, ["two"], "what was erased goes from the restored store before it serves");
}

#[tokio::test]
async fn an_older_store_with_its_own_tables_does_not_open_with_the_keys_of_today() {
    let (folder, keys) = erased().await;
    let parts = [("store", "copy"), ("tables", "copy"), ("roots", "live")];
    let refused = open(&place(folder.path(), "stolen", parts), &keys).await.unwrap_err();
    assert!(matches!(refused, StoreError::Table { .. }), "{refused:?}");
    // Without the roots of that day, whoever copied everything else has nothing.
    let roots = folder.path().join("stolen/roots");
    std::fs::remove_file(roots).unwrap();
    assert!(matches!(open(&folder.path().join("stolen"), &keys).await, Err(StoreError::Table { .. })));
}

#[tokio::test]
async fn a_store_without_its_tables_is_not_taken_for_one_that_was_erased() {
    let (folder, keys) = erased().await;
    let live = folder.path().join("live");
    std::fs::rename(live.join("tables"), folder.path().join("away")).unwrap();
    let refused = open(&live, &keys).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoTables), "{refused:?}");
    std::fs::remove_dir(live.join("tables")).unwrap();
    std::fs::rename(folder.path().join("away"), live.join("tables")).unwrap();
    assert_eq!(text(&open(&live, &keys).await.unwrap(), "two").await.as_deref(), Some("two"));
}
