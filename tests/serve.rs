//! What the page asks of a home: the app behind `wherry-serve`, one command at a time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use crate::machine::Machine;
use crate::process::{Running, program};

pub struct Serve {
    at: String,
    token: String,
    _process: Running,
}

impl Serve {
    /// On a machine's home, with its engine in use.
    pub fn of(machine: &Machine) -> Serve {
        let mut command = Command::new(program("wherry-serve"));
        command
            .args(["--port", "0"])
            .env("WHERRY_HOME", machine.path())
            .env("DOCKER_HOST", format!("unix://{}", machine.socket().display()))
            .env("DOCKER_CONFIG", machine.path().join("docker"));
        let mut process = Running::start(&mut command, &machine.path().join("serve.log"));
        let address = process.line();
        let (at, token) = address.split_once("/?token=").expect("an address with its token");
        let serve = Serve {
            at: at.trim_start_matches("http://").to_owned(),
            token: token.to_owned(),
            _process: process,
        };
        serve.call("engine.choose", &serde_json::json!({ "type": "machine" }));
        serve
    }

    /// The result of a command of the table, which must succeed.
    pub fn call(&self, name: &str, params: &Value) -> Value {
        let (at, token, body) = (&self.at, &self.token, params.to_string());
        let mut stream = TcpStream::connect(at).expect("it listens");
        write!(
            stream,
            "POST /api/call/{name} HTTP/1.0\r\nHost: {at}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it takes the question");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        assert!(head.split(' ').nth(1) == Some("200"), "{name}: {answer}");
        serde_json::from_str(body).expect("JSON")
    }
}
