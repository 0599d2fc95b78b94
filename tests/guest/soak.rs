//! The short form of the suite `soak`.

use wherry_tests::machine::Machine;
use wherry_tests::soak::{Amount, soak};

#[test]
fn what_is_held_does_not_grow_with_what_was_done() {
    let machine = Machine::start();
    machine.import_busybox();
    let amount = Amount {
        connections: 1000,
        execs: 5,
        containers: 3,
    };
    soak(&machine, amount);
}
