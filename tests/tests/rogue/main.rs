//! A server that lies, floods or stalls always causes an error in time, in little memory, and never
//! a panic.

mod before_copy;
mod flood;
mod in_copy;
mod memory;
mod server;
mod startup;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
