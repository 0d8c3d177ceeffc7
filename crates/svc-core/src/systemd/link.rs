//! One open connection to the bus the manager sits on, and the manager's words on it.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::sync::{OnceCell, Semaphore};
use zbus::message::{Message, Type};
use zbus::{Connection, DynamicType, MatchRule, MessageStream};

/// The manager's name on the bus.
const MANAGER: &str = "org.freedesktop.systemd1";
/// Its object.
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
/// Its interface.
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
/// Where every object's properties are asked for.
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Signals that may wait for us. A full queue stops the whole connection, and starting a large target ends jobs by
/// the hundred.
const QUEUE: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(size) => size,
    None => NonZeroUsize::MIN,
};

/// Calls that may be unanswered at once. The system bus refuses the 129th of a connection (`LimitsExceeded`,
/// dbus-daemon's `max_replies_per_connection`), and what zbus asks on its own account counts too.
const WINDOW: usize = 120;

/// An open connection.
pub(super) struct Link {
    connection: Connection,
    subscribed: OnceCell<()>,
    window: Semaphore,
}

impl Link {
    pub(super) async fn open(address: &str) -> zbus::Result<Self> {
        let connection = zbus::connection::Builder::address(address).build().await?;
        Ok(Self { connection, subscribed: OnceCell::new(), window: Semaphore::new(WINDOW) })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Calls a method of the manager.
    pub(super) async fn manager<B>(&self, method: &'static str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + DynamicType,
    {
        self.call(MANAGER_PATH, MANAGER_INTERFACE, method, body).await
    }

    /// Asks for one of the manager's own properties.
    pub(super) async fn manager_property(&self, name: &'static str) -> zbus::Result<Message> {
        self.call(MANAGER_PATH, PROPERTIES, "Get", &(MANAGER_INTERFACE, name)).await
    }

    /// Asks for all properties that an object has on an interface.
    pub(super) async fn properties(&self, path: &str, interface: &'static str) -> zbus::Result<Message> {
        self.call(path, PROPERTIES, "GetAll", &interface).await
    }

    /// Asks for one property of an object.
    pub(super) async fn property(
        &self,
        path: &str,
        interface: &'static str,
        name: &'static str,
    ) -> zbus::Result<Message> {
        self.call(path, PROPERTIES, "Get", &(interface, name)).await
    }

    async fn call<B>(
        &self,
        path: &str,
        interface: &'static str,
        method: &'static str,
        body: &B,
    ) -> zbus::Result<Message>
    where
        B: serde::Serialize + DynamicType,
    {
        let _place = self.window.acquire().await.map_err(|_| lost())?;
        self.connection.call_method(Some(MANAGER), path, Some(interface), method, body).await
    }

    /// Has the manager send its signals; once for the life of the connection.
    pub(super) async fn subscribe(&self) -> zbus::Result<()> {
        let ask = || async { self.manager("Subscribe", &()).await.map(|_| ()) };
        self.subscribed.get_or_try_init(ask).await.copied()
    }

    /// Listens to one of the manager's signals, from now on.
    pub(super) async fn signals(&self, member: &'static str) -> zbus::Result<Signals> {
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(MANAGER)
            .path(MANAGER_PATH)
            .interface(MANAGER_INTERFACE)
            .member(member)
            .build()?;
        let stream = MessageStream::for_match_rule(rule, &self.connection, Some(QUEUE)).await?;
        Ok(Signals { stream })
    }
}

/// Signals of the manager. Must be polled while any call is awaited on the same connection.
pub(super) struct Signals {
    stream: MessageStream,
}

impl Signals {
    /// The next one; an error when the connection is gone.
    pub(super) async fn next(&mut self) -> zbus::Result<Message> {
        self.stream.next().await.unwrap_or_else(|| Err(lost()))
    }
}

fn lost() -> zbus::Error {
    zbus::Error::InputOutput(Arc::new(io::Error::new(io::ErrorKind::BrokenPipe, "the connection was closed")))
}
