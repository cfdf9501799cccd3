//! Every record there is, for whoever erases by something else than a consent's name.

use super::{Consent, ConsentError, ConsentRegister};

impl ConsentRegister {
    /// All records, as they are now.
    ///
    /// # Errors
    /// [`ConsentError::Store`].
    pub async fn all(&self) -> Result<Vec<Consent>, ConsentError> {
        let mut all = Vec::new();
        for name in self.shelf.names::<Consent>().await? {
            all.extend(self.shelf.get::<Consent>(&name).await?.map(|stored| stored.value));
        }
        Ok(all)
    }
}
