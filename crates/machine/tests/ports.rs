//! Who holds a port. Apart from the other tests: a process that one of them is just starting has our sockets too,
//! for a moment, and would be taken for the holder.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};

use wherry_machine::ports::{Protocol, holder, is_free, next_free, taken_sentence};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn a_taken_port_is_told_with_its_holder_and_the_next_one_is_offered() {
    let listener = TcpListener::bind((LOOPBACK, 0)).expect("bind");
    let port = listener.local_addr().expect("address").port();
    assert!(!is_free(LOOPBACK, port));
    assert!(!is_free(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
    let holder = holder(Protocol::Tcp, LOOPBACK, port).expect("we hold it ourselves");
    assert_eq!(holder.pid, std::process::id());
    let sentence = taken_sentence(port, Some(&holder));
    assert_eq!(
        sentence,
        format!("{port} is used by {} (pid {})", holder.program, holder.pid)
    );
    let next = next_free(LOOPBACK, port).expect("one is free");
    assert!(next > port);
}

#[test]
fn a_udp_port_has_a_holder_too() {
    let socket = UdpSocket::bind((LOOPBACK, 0)).expect("bind");
    let port = socket.local_addr().expect("address").port();
    let holder = holder(Protocol::Udp, LOOPBACK, port).expect("we hold it ourselves");
    assert_eq!(holder.pid, std::process::id());
    assert_eq!(wherry_machine::ports::holder(Protocol::Sctp, LOOPBACK, port), None);
}

#[test]
fn a_listener_on_another_loopback_address_is_in_nobodys_way() {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).expect("bind");
    let port = listener.local_addr().expect("address").port();
    assert_eq!(holder(Protocol::Tcp, LOOPBACK, port), None);
}
