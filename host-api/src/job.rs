//! job: what this run was asked to do.

use crate::bindings::consentry::connector::job;
use crate::ctx::HostCtx;

const NAME: &str = "job";

impl job::Host for HostCtx {
    fn source(&mut self) -> wasmtime::Result<String> {
        self.enter_infallible(NAME, "source")?;
        Ok(self.plan.id().as_str().to_owned())
    }

    fn base(&mut self) -> wasmtime::Result<String> {
        self.enter_infallible(NAME, "base")?;
        Ok(self.plan.base().to_owned())
    }

    fn param(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        self.enter_infallible(NAME, "param")?;
        Ok(self.plan.params().get(&name).cloned())
    }

    fn wanted(&mut self, category: String) -> wasmtime::Result<bool> {
        self.enter_infallible(NAME, "wanted")?;
        Ok(self.grants.wanted.contains(&category))
    }

    fn since(&mut self) -> wasmtime::Result<Option<String>> {
        self.enter_infallible(NAME, "since")?;
        Ok(self.grants.since.map(|day| day.to_string()))
    }

    fn attended(&mut self) -> wasmtime::Result<bool> {
        self.enter_infallible(NAME, "attended")?;
        Ok(self.grants.attended)
    }

    fn language(&mut self) -> wasmtime::Result<String> {
        self.enter_infallible(NAME, "language")?;
        Ok(self.language.clone())
    }
}
