//! The one answer that the application lives on, and what becomes of it.

#[cfg(test)]
mod tests;

use consentry_sdk::prelude::*;

/// The application's own, where neither the account nor the settings name one.
const CURRENCY: &str = "EUR";

/// Emits what is wanted.
pub fn everything(data: &Document) -> Result {
    let accounts = accounts(data)?;
    if job::wanted("bank.transaction") {
        transactions(data, &accounts)?;
    }
    Ok(())
}

/// The currency of each account, by its number.
type Currencies = Vec<(String, String)>;

fn accounts(data: &Document) -> Result<Currencies> {
    let columns = ["id", "label", "iban", "currency", "type", "balance"].map(member);
    let default = setting(data, "default-currency")?.unwrap_or_else(|| CURRENCY.to_owned());
    let mut currencies = Currencies::new();
    for row in data.list("/accounts/*", &columns)? {
        let [Some(id), label, iban, currency, kind, balance] = row else { return Err(data.missing("account-id")) };
        let currency = currency.unwrap_or_else(|| default.clone());
        if job::wanted("bank.account") {
            let account = || {
                let account = items::BankAccount::new(&id).label(label.clone()).currency(currency.clone());
                account.kind(kind.as_deref().and_then(account_kind))
            };
            // The application takes any text for an IBAN. One that is none is left out, and the account is told without.
            let whole = account().iban(iban.clone()).emit();
            if whole.is_err() && iban.is_some() {
                whole.or_partial("bank.account")?;
                account().emit().or_partial("bank.account")?;
            } else {
                whole.or_partial("bank.account")?;
            }
        }
        if job::wanted("bank.balance") {
            let balance = balance.ok_or_else(|| data.missing("balance"));
            let balance = balance.and_then(|balance| json::amount(&balance, &currency));
            let balance = balance.and_then(|minor| items::BankBalance::new(&id, minor, &currency).emit());
            balance.or_partial("bank.balance")?;
        }
        currencies.push((id, currency));
    }
    Ok(currencies)
}

fn transactions(data: &Document, accounts: &Currencies) -> Result {
    let columns = ["id", "accountId", "date", "label", "rawLabel", "amount", "type"].map(member);
    let since = job::since();
    let (mut batch, mut older) = (Batch::default(), None);
    for row in data.list("/transactions/*", &columns)? {
        let [Some(id), Some(account), Some(date), label, raw, Some(amount), kind] = row else {
            return Err(data.missing("transaction"));
        };
        let Some((_, currency)) = accounts.iter().find(|(known, _)| *known == account) else {
            return Err(data.missing("account-of-transaction"));
        };
        let item = json::date(&date).and_then(|date| {
            let amount = json::amount(&amount, currency)?;
            // What the bank wrote; its own label may be empty.
            let label = one_line(raw).or_else(|| one_line(label)).ok_or_else(|| data.missing("label"))?;
            if since.as_deref().is_some_and(|since| date.as_str() < since) {
                older = Some(date);
                return Ok(None);
            }
            let item = items::BankTransaction::new(&account, date, label, amount, currency).reference(&id);
            Ok(Some(item.kind(kind.as_deref().and_then(transaction_kind))))
        });
        item.map(|item| item.into_iter().for_each(|item| batch.push(item))).or_partial("bank.transaction")?;
    }
    older.map_or(Ok(()), items::BankTransaction::older)?;
    batch.emit().or_partial("bank.transaction")
}

fn member(name: &str) -> Column {
    column(name, &format!("/{name}"), "text")
}

fn setting(data: &Document, key: &str) -> Result<Option<String>> {
    let settings = data.list("/settings/*", &["key", "value"].map(member))?;
    Ok(settings.into_iter().find_map(|[name, value]| value.filter(|_| name.as_deref() == Some(key))))
}

fn one_line(text: Option<String>) -> Option<String> {
    let line = text?.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(line).filter(|line| !line.is_empty())
}

fn account_kind(name: &str) -> Option<items::BankAccountKind> {
    use items::BankAccountKind as Kind;
    Some(match name.strip_prefix("account-type.")? {
        "checking" | "joint" => Kind::Current,
        "savings" | "deposit" | "livreta" | "livretb" | "ldds" | "pel" | "cel" | "csl" | "cat" => Kind::Savings,
        "card" => Kind::Card,
        "loan" | "mortgage" | "consumer_credit" | "revolving_credit" => Kind::Loan,
        "market" | "pea" => Kind::Securities,
        "life_insurance" | "capitalisation" => Kind::Insurance,
        "unknown" => return None,
        _ => Kind::Other,
    })
}

fn transaction_kind(name: &str) -> Option<items::BankTransactionKind> {
    use items::BankTransactionKind as Kind;
    Some(match name.strip_prefix("type.")? {
        "transfer" | "internal_transfer" => Kind::Transfer,
        "order" => Kind::DirectDebit,
        "check" => Kind::Cheque,
        "withdrawal" | "cash_deposit" => Kind::Cash,
        "card" | "card_summary" | "deferred_card" => Kind::Card,
        "bankfee" => Kind::Fee,
        "unknown" => return None,
        _ => Kind::Other,
    })
}
