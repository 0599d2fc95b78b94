//! The tray of a desktop, as far as its protocols go: who shows icons, and a person who chooses from their menus.
//! <https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/>

#![expect(
    clippy::needless_pass_by_value,
    clippy::unused_self,
    reason = "what is called over the bus has the shape that zbus wants"
)]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

use wherry_tests::PATIENCE;
use wherry_tests::process::{Running, until};
use zbus::blocking::{Connection, Proxy, connection};
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

/// Nothing is started because somebody asks for it, as a desktop's own bus would do.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=FOLDER</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>"#;

/// An entry of a menu: its number, what it says of itself, and the entries below it.
type Entry = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

pub(crate) struct Tray {
    address: String,
    connection: Connection,
    icons: Receiver<Icon>,
    _bus: Running,
}

/// One that a program has put into the tray.
pub(crate) struct Icon {
    owner: String,
    path: String,
}

struct Watcher {
    icons: Sender<Icon>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    /// `service` is a name on the bus, or a path of whoever calls, as Ayatana's library has it.
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let caller = header.sender().map(ToString::to_string).unwrap_or_default();
        let icon = if service.starts_with('/') {
            Icon {
                owner: caller,
                path: service.to_owned(),
            }
        } else {
            Icon {
                owner: service.to_owned(),
                path: "/StatusNotifierItem".to_owned(),
            }
        };
        let _ = self.icons.send(icon);
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

impl Tray {
    pub(crate) fn start(folder: &Path) -> Tray {
        let configuration = folder.join("bus.conf");
        fs_err::write(&configuration, BUS.replace("FOLDER", &folder.display().to_string())).expect("written");
        let mut command = Command::new("dbus-daemon");
        command
            .args(["--nofork", "--print-address"])
            .arg(format!("--config-file={}", configuration.display()));
        let mut bus = Running::start(&mut command, &folder.join("bus.log"));
        let address = bus.line();
        let (sender, icons) = channel();
        let connection = connection::Builder::address(address.as_str())
            .and_then(|builder| builder.serve_at("/StatusNotifierWatcher", Watcher { icons: sender }))
            .and_then(|builder| builder.name("org.kde.StatusNotifierWatcher"))
            .and_then(connection::Builder::build)
            .expect("a connection to the bus");
        Tray {
            address,
            connection,
            icons,
            _bus: bus,
        }
    }

    /// What programs have to know of it.
    pub(crate) fn environment(&self) -> (&'static str, String) {
        ("DBUS_SESSION_BUS_ADDRESS", self.address.clone())
    }

    /// Waits for the next that is put into the tray.
    pub(crate) fn icon(&self) -> Icon {
        self.icons.recv_timeout(PATIENCE).expect("an icon in the tray")
    }

    /// Chooses the entry of an icon's menu that begins so.
    pub(crate) fn choose(&self, icon: &Icon, label: &str) {
        let proxy = |path: &str, interface: &'static str| {
            Proxy::new(&self.connection, icon.owner.clone(), path.to_owned(), interface).expect("a proxy")
        };
        let item = proxy(&icon.path, "org.kde.StatusNotifierItem");
        let path: OwnedObjectPath = item.get_property("Menu").expect("it has a menu");
        let menu = proxy(path.as_str(), "com.canonical.dbusmenu");
        let number = until(label, || {
            let every: Vec<&str> = Vec::new();
            let (_, (_, _, entries)): (u32, Entry) = menu.call("GetLayout", &(0_i32, -1_i32, every)).ok()?;
            let entries = entries
                .into_iter()
                .map(|entry| Entry::try_from(entry).expect("an entry"));
            let found = entries.into_iter().find(|(_, properties, _)| {
                let text = properties.get("label").and_then(|text| <&str>::try_from(text).ok());
                text.is_some_and(|text| text.replace('_', "").starts_with(label))
            });
            found.map(|(number, ..)| number)
        });
        menu.call::<_, _, ()>("Event", &(number, "clicked", Value::from(0_i32), 0_u32))
            .expect("the entry is chosen");
    }
}
