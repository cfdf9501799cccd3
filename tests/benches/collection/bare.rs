//! wasmtime with nothing around it: the same component, the sandbox's pool, no cache folder, no authentication, no limits, no context.
#![expect(unsafe_code, reason = "loads code which this process has just compiled")]

use consentry_host_api::HostCtx;
use consentry_host_api::bindings::{Connector, ConnectorPre};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

pub struct Bare {
    engine: Engine,
    linker: Linker<Option<HostCtx>>,
    code: Vec<u8>,
}

impl Bare {
    pub fn new(component: &[u8]) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(64)
            .total_memories(64)
            .total_stacks(64)
            .total_core_instances(256)
            .total_tables(128)
            // As our pool keeps its pages: what is compared is what stands around wasmtime, not how it is set.
            .linear_memory_keep_resident(256 << 10)
            .table_keep_resident(256 << 10)
            .async_stack_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.concurrency_support(false).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        Connector::add_to_linker::<_, HasSelf<HostCtx>>(&mut linker, nobody)?;
        let code = Component::new(&engine, component)?.serialize()?;
        Ok(Self { engine, linker, code })
    }

    pub fn load(&self) -> wasmtime::Result<ConnectorPre<Option<HostCtx>>> {
        // SAFETY: the bytes were serialised above, by this engine.
        let component = unsafe { Component::deserialize(&self.engine, &self.code) }?;
        ConnectorPre::new(self.linker.instantiate_pre(&component)?)
    }

    pub async fn instantiate(&self, pre: &ConnectorPre<Option<HostCtx>>) -> wasmtime::Result<()> {
        let mut store = Store::new(&self.engine, None);
        pre.instantiate_async(&mut store).await.map(drop)
    }
}

/// Instantiating calls no import.
fn nobody(ctx: &mut Option<HostCtx>) -> &mut HostCtx {
    ctx.as_mut().expect("no guest runs here")
}
