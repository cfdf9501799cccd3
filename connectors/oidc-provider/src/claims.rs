//! The claims of OpenID Connect Core, section 5.1, and what becomes of them.

#[cfg(test)]
mod tests;

use consentry_sdk::prelude::*;

/// Emits what is wanted. A claim that the provider has no value for is not there.
pub fn emit(claims: &Document) -> Result {
    let find = |at: &str| claims.find(at, "text");
    if job::wanted("person.name") {
        let name = items::PersonName::new().given(find("/given_name")?).family(find("/family_name")?);
        name.full(find("/name")?).emit().or_partial("person.name")?;
    }
    if job::wanted("person.birth")
        && let Some(day) = find("/birthdate")?
    {
        items::PersonBirth::new().date(day).emit().or_partial("person.birth")?;
    }
    if job::wanted("person.email")
        && let Some(address) = find("/email")?
    {
        let verified = claims.find("/email_verified", "json")?.map(|verified| verified == "true");
        items::PersonEmail::new(address).verified(verified).emit().or_partial("person.email")?;
    }
    if job::wanted("person.phone")
        && let Some(number) = find("/phone_number")?
    {
        items::PersonPhone::new(number).emit().or_partial("person.phone")?;
    }
    if job::wanted("person.address") && claims.find("/address", "json")?.is_some() {
        address(claims).or_partial("person.address")?;
    }
    if job::wanted("bank.account")
        && let Some(iban) = find("/iban")?
    {
        items::BankAccount::new("iban").iban(iban).emit().or_partial("bank.account")?;
    }
    Ok(())
}

fn address(claims: &Document) -> Result {
    let find = |part: &str| claims.find(&format!("/address/{part}"), "text");
    let address = items::PersonAddress::new().lines(find("street_address")?).postcode(find("postal_code")?);
    address.city(find("locality")?).country(find("country")?).emit()
}
