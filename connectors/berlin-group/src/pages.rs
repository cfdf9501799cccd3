//! The standard's answers, and what becomes of them.

#[cfg(test)]
mod tests;

use consentry_sdk::prelude::*;

/// The code that stands for several currencies in one account.
const SEVERAL: &str = "XXX";

/// An account, as far as the rest needs it.
pub struct Account {
    pub id: String,
    pub has_balances: bool,
    pub has_transactions: bool,
}

/// Emits accounts, if they are wanted.
pub fn accounts(page: &Document) -> Result<Vec<Account>> {
    let columns = [
        at("/resourceId"),
        at("/iban"),
        at("/currency"),
        at("/ownerName"),
        at("/name"),
        at("/product"),
        at("/cashAccountType"),
        at("/_links/balances/href"),
        at("/_links/transactions/href"),
    ];
    let mut accounts = Vec::new();
    for row in page.list("/accounts/*", &columns)? {
        let [Some(id), iban, currency, owner, name, product, kind, balances, transactions] = row else {
            return Err(page.missing("resource-id"));
        };
        if job::wanted("bank.account") {
            let item = || {
                let item = items::BankAccount::new(&id).label(name.clone().or_else(|| product.clone()));
                let item = item.holder(owner.clone()).currency(currency.clone().filter(|currency| currency != SEVERAL));
                item.kind(kind.as_deref().and_then(account_kind))
            };
            // An IBAN that is none costs the account no more than that.
            let whole = item().iban(iban.clone()).emit();
            if whole.is_err() && iban.is_some() {
                item().emit().or_partial("bank.account")?;
            }
            whole.or_partial("bank.account")?;
        }
        accounts.push(Account { id, has_balances: balances.is_some(), has_transactions: transactions.is_some() });
    }
    Ok(accounts)
}

pub fn balances(page: &Document, account: &Account) -> Result {
    let columns =
        [at("/balanceType"), at("/balanceAmount/amount"), at("/balanceAmount/currency"), at("/referenceDate")];
    for row in page.list("/balances/*", &columns)? {
        let [kind, Some(amount), Some(currency), date] = row else { return Err(page.missing("balance-amount")) };
        let item = json::amount(&amount, &currency).and_then(|amount| {
            let item = items::BankBalance::new(&account.id, amount, &currency).date(date);
            item.kind(kind.as_deref().and_then(balance_kind)).emit()
        });
        item.or_partial("bank.balance")?;
    }
    Ok(())
}

/// Emits one page of transactions; answers what to ask for the next one.
pub fn transactions(page: &Document, account: &Account) -> Result<Option<Vec<(String, String)>>> {
    let mut batch = Batch::default();
    for (list, pending) in [("booked", false), ("pending", true)] {
        let columns = [
            at("/transactionId"),
            at("/bookingDate"),
            at("/valueDate"),
            at("/transactionAmount/amount"),
            at("/transactionAmount/currency"),
            at("/remittanceInformationUnstructured"),
            at("/creditorName"),
            at("/creditorAccount/iban"),
            at("/debtorName"),
            at("/debtorAccount/iban"),
        ];
        for row in page.list(&format!("/transactions/{list}/*"), &columns)? {
            let [id, booked, value, amount, currency, text, creditor, creditor_iban, debtor, debtor_iban] = row;
            let (Some(amount), Some(currency)) = (amount, currency) else { return Err(page.missing("amount")) };
            // What is not booked yet has no such day.
            let Some(date) = booked.or_else(|| value.clone()) else { return Err(page.missing("date")) };
            let (paid, received) = ((creditor, creditor_iban), (debtor, debtor_iban));
            let (other, only) = if amount.starts_with('-') { (paid, received) } else { (received, paid) };
            let (name, iban) = if other.0.is_some() { other } else { only };
            let Some(label) = text.or_else(|| name.clone()) else { return Err(page.missing("label")) };
            let item = json::amount(&amount, &currency).map(|amount| {
                let item = items::BankTransaction::new(&account.id, date, label, amount, &currency).reference(id);
                item.value_date(value).counterparty_name(name).counterparty_iban(iban).pending(pending)
            });
            item.map(|item| batch.push(item)).or_partial("bank.transaction")?;
        }
    }
    batch.emit().or_partial("bank.transaction")?;
    next(page)
}

/// The query of the next page: what stands before it may be written in any way, and leads to the same list.
fn next(page: &Document) -> Result<Option<Vec<(String, String)>>> {
    let Some(link) = page.find("/transactions/_links/next/href", "text")? else { return Ok(None) };
    let Some((_, query)) = link.split_once('?') else { return Err(page.missing("next-page")) };
    let pair = |part: &str| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Some(query.split('&').filter_map(pair).collect()))
}

fn at(pointer: &str) -> Column {
    column(pointer.rsplit('/').next().unwrap_or_default(), pointer, "text")
}

/// ISO 20022, ExternalCashAccountType1Code.
fn account_kind(code: &str) -> Option<items::BankAccountKind> {
    use items::BankAccountKind as Kind;
    Some(match code {
        "CACC" | "TRAN" => Kind::Current,
        "SVGS" => Kind::Savings,
        "CARD" => Kind::Card,
        "LOAN" | "MGLD" => Kind::Loan,
        _ => return None,
    })
}

fn balance_kind(kind: &str) -> Option<items::BankBalanceKind> {
    use items::BankBalanceKind as Kind;
    Some(match kind {
        "closingBooked" | "openingBooked" | "interimBooked" => Kind::Booked,
        "interimAvailable" | "closingAvailable" | "forwardAvailable" => Kind::Available,
        "expected" => Kind::Expected,
        _ => return None,
    })
}
