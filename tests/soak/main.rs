//! Everything that is done all day, for about an hour.

use wherry_tests::machine::Machine;
use wherry_tests::soak::{Amount, soak};

#[test]
fn what_is_held_does_not_grow_with_what_was_done() {
    let machine = Machine::start();
    machine.import_busybox();
    let amount = Amount {
        connections: 300_000,
        execs: 500,
        containers: 200,
    };
    soak(&machine, amount);
}
