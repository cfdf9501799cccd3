//! One kind of record for each row that can be stored.

use std::marker::PhantomData;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::erase::retention::{self as rows, Row, Storable, Term};
use crate::rights::declared::Declared;
use crate::store::{Expect, Record, Shelves, StoreError};

/// What a simulation does with the records of a row.
#[async_trait]
pub(super) trait Kind: Send + Sync {
    fn row(&self) -> &'static Row;

    /// Whether its trigger fires some time after it was made, and not with it.
    fn begins_open(&self) -> bool {
        // Accounts, consents, requests, directives, Online Services, operators.
        ["R13", "R14", "R16", "R22", "R25", "R26"].contains(&self.row().id)
    }

    async fn put(&self, shelves: &Shelves, name: &str, expect: Expect, term: Term) -> Result<(), StoreError>;

    /// The term of a record that is there and opens.
    async fn term(&self, shelves: &Shelves, name: &str) -> Result<Option<Term>, StoreError>;

    async fn delete(&self, shelves: &Shelves, name: &str) -> Result<(), StoreError>;
}

struct Of<R>(PhantomData<fn() -> R>);

#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Note<R> {
    text: String,
    #[serde(skip)]
    row: PhantomData<fn() -> R>,
}

impl<R: Storable> Record for Note<R> {
    const NAMESPACE: &'static str = "simulated";
    const RIGHTS: Declared = Declared::NOT_PERSONAL;
    type Row = R;
}

#[async_trait]
impl<R: Storable> Kind for Of<R> {
    fn row(&self) -> &'static Row {
        R::ROW
    }

    async fn put(&self, shelves: &Shelves, name: &str, expect: Expect, term: Term) -> Result<(), StoreError> {
        let note = Note { text: format!("what was kept as {name}"), row: PhantomData };
        shelves.shelf::<R>().put(name, &note, expect, term).await.map(drop)
    }

    async fn term(&self, shelves: &Shelves, name: &str) -> Result<Option<Term>, StoreError> {
        Ok(shelves.shelf::<R>().get::<Note<R>>(name).await?.map(|stored| stored.term))
    }

    async fn delete(&self, shelves: &Shelves, name: &str) -> Result<(), StoreError> {
        shelves.shelf::<R>().delete::<Note<R>>(name).await
    }
}

macro_rules! all {
    ($($row:ident)*) => {
        /// Every row that can be stored.
        pub(super) static ALL: &[&dyn Kind] = &[$(&Of::<rows::$row>(PhantomData)),*];
    };
}

all! {
    R01TrafficStatistics R02ContactRequest R04AnonymousSession R05TransactionTrace R06IdentityVerification R07CaptureMedia
    R10CredentialMaintenance R11ErrorReportRedacted R12SyncSessionState R13Account R14ConsentRecord R15ConsentLogLeaf
    R16RightsRequest R17RightsIdentityProof R18SecurityAuditLog R19EscrowLink R20MeteringEvent R21FallbackAccessLog
    R22PostMortemDirective R23SealedParcel R24DeliveryOutcome R25OnlineServiceRecord R26OperatorAccount R27ConnectorApproval
    R28AuthorityDisclosure R29ConnectorHealth
}
