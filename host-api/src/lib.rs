//! host-api
pub mod bindings;
pub mod blob { pub struct Blob; }
pub mod document { pub struct Parsed; }
pub mod credentials { pub struct Handle; }
pub mod http { pub struct Request; pub struct Response; }
pub mod prompt { pub struct Challenge; }
pub mod browser { pub struct NoPage; }
