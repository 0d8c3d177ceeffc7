//! A manager on a bus of its own: one Unix socket, served message by message, so that every order of replies and
//! signals can be had.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use tempfile::TempDir;
use tokio::net::UnixListener;
use zbus::message::{Message, Type};
use zbus::{Connection, Guid, MessageStream, ObjectPath};

/// Our manager's unique name.
pub(super) const MANAGER: &str = ":1.1";
/// Somebody else's.
pub(super) const STRANGER: &str = ":1.66";

/// One thing the manager does when a call arrives.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Sends this signal or this answer; built from the call.
    Send(fn(&Message) -> Message),
    /// Refuses the call with this error's name and text.
    Refuse(&'static str, &'static str),
    /// Says that a job was removed: who says it, which job, with which result.
    Removed(&'static str, &'static str, &'static str),
    /// Answers with the job's object.
    Job(&'static str),
    /// Answers an earlier `GetAll`.
    Answer(Message),
    /// Hangs up.
    Close,
}

type Answer = dyn Fn(&str, &Message) -> Vec<Act> + Send + Sync;

/// The manager, its bus, and what it was asked.
pub(super) struct Manager {
    dir: TempDir,
    calls: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Manager {
    /// Serves calls as `answer` says for their member; what it leaves empty and the bus itself would answer is
    /// answered, the rest is left hanging.
    pub(super) fn new(answer: impl Fn(&str, &Message) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("bus")).unwrap();
        let (calls, answer): (Arc<Mutex<Vec<String>>>, Arc<Answer>) = (Arc::default(), Arc::new(answer));
        let seen = Arc::clone(&calls);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = stream.into_std().unwrap();
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&answer)));
            }
        });
        Self { dir, calls, task }
    }

    /// A manager that does this for every job.
    pub(super) fn with_job(acts: &[Act]) -> Self {
        let acts = acts.to_vec();
        let is_job = |member: &str| matches!(member, "StartUnit" | "StopUnit" | "RestartUnit");
        Self::new(move |member, _| if is_job(member) { acts.clone() } else { Vec::new() })
    }

    pub(super) fn address(&self) -> String {
        format!("unix:path={}", self.dir.path().join("bus").display())
    }

    /// The members called so far, without those of the bus itself.
    pub(super) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: UnixStream, calls: Arc<Mutex<Vec<String>>>, answer: Arc<Answer>) {
    let builder = zbus::connection::Builder::unix_stream(stream).server(Guid::generate()).p2p();
    let Ok(connection) = builder.build().await else { return };
    let mut messages = MessageStream::from(connection.clone());
    while let Some(Ok(call)) = messages.next().await {
        if call.message_type() != Type::MethodCall {
            continue;
        }
        let member = call.header().member().map(ToString::to_string).unwrap_or_default();
        let of_bus = match member.as_str() {
            "Hello" => Some(reply(&call, &":1.9")),
            "AddMatch" | "RemoveMatch" => Some(reply(&call, &())),
            _ => None,
        };
        if let Some(answer) = of_bus {
            connection.send(&answer).await.unwrap();
            continue;
        }
        calls.lock().unwrap().push(member.clone());
        let mut acts = answer(&member, &call);
        if acts.is_empty() && member == "Subscribe" {
            acts.push(Act::Send(|call| reply(call, &())));
        }
        for act in acts {
            if !perform(&connection, &call, act).await {
                return;
            }
        }
    }
}

/// Says whether to go on.
async fn perform(connection: &Connection, call: &Message, act: Act) -> bool {
    let message = match act {
        Act::Send(build) => build(call),
        Act::Refuse(name, text) => Message::error(&call.header(), name).sender(MANAGER).build(&text).unwrap(),
        Act::Removed(sender, job, result) => removed(sender, job, result),
        Act::Job(job) => reply(call, &ObjectPath::try_from(job).unwrap()),
        Act::Answer(earlier) => super::properties(&earlier),
        Act::Close => {
            connection.clone().close().await.unwrap();
            return false;
        }
    };
    connection.send(&message).await.unwrap();
    true
}

pub(super) fn reply<B: serde::Serialize + zbus::DynamicType>(call: &Message, body: &B) -> Message {
    Message::method_return(&call.header()).sender(MANAGER).build(body).unwrap()
}

fn removed(sender: &'static str, job: &'static str, result: &str) -> Message {
    let path = "/org/freedesktop/systemd1";
    let signal = Message::signal(path, "org.freedesktop.systemd1.Manager", "JobRemoved");
    let body = (7_u32, ObjectPath::try_from(job).unwrap(), "a.service", result);
    signal.sender(sender).build(&body).unwrap()
}
