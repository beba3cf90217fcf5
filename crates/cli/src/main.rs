//! The `gesta` program, for stores nobody wrote code for: the library, with the models that any store has.

use std::process::ExitCode;

/// Index parts are allocated by the thread that appends and freed by maintenance: the system's allocator keeps what they leave.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    gesta_cli::Program::new().run()
}
