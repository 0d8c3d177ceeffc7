//! The client against an engine of our own at the other end of a socket.

mod server;

use futures_util::StreamExt as _;
use futures_util::future::join;
use server::{Answer, Server};

use super::*;
use crate::docker::{ContainerHealth, HappeningKind, OutputStream, Written};

const CONTAINERS: &str = include_str!("tests/answers/containers.json");
const INSPECT: &str = include_str!("tests/answers/inspect.json");
const VOLUMES: &str = include_str!("tests/answers/volumes.json");

fn json(body: &str) -> Answer {
    Answer::Json(200, body.to_owned())
}

fn message(status: u16, text: &str) -> Answer {
    Answer::Json(status, format!(r#"{{"message":"{text}"}}"#))
}

/// The recorded inspection with another state.
fn in_state(state: &str) -> Answer {
    json(&INSPECT.replace(r#""Status":"running""#, &format!(r#""Status":"{state}""#)))
}

fn engine(server: &Server) -> Engine {
    Engine::new(server.socket())
}

#[tokio::test]
async fn all_containers_are_one_request_whole_or_in_chunks() {
    for answer in [json(CONTAINERS), Answer::Chunked(CONTAINERS.to_owned())] {
        let server = Server::new(move |_, _| answer.clone());
        let containers = engine(&server).containers().await.unwrap();
        assert_eq!(server.requests(), ["GET /v1.44/containers/json?all=true&size=false"]);
        let states: Vec<_> =
            containers.iter().map(|c| (c.name.as_str(), c.state, c.health, c.exit_code)).collect();
        assert_eq!(
            states,
            [
                ("shop-web-1", ContainerState::Running, None, None),
                ("shop-db-1", ContainerState::Running, Some(ContainerHealth::Healthy), None),
                ("shop-migrate-1", ContainerState::Exited, None, Some(0)),
                ("alone", ContainerState::Paused, None, None),
                ("never", ContainerState::Created, None, None),
            ]
        );
        let web = &containers[0];
        let compose = web.compose.as_ref().unwrap();
        assert_eq!((compose.project.as_str(), compose.service.as_str()), ("shop", "web"));
        assert_eq!(compose.depends_on, ["db", "migrate"]);
        assert_eq!(compose.awaits_end_of, ["migrate"]);
        assert_eq!(
            (web.volumes.as_slice(), web.image.as_str()),
            (["shop_static".to_owned()].as_slice(), "nginx:1.27")
        );
        assert_eq!(containers[3].compose, None);
    }
}

#[tokio::test]
async fn a_thousand_containers_are_still_one_request() {
    let one = |n: usize| {
        format!(r#"{{"Id":"{n:064x}","Names":["/c{n}"],"State":"running","Status":"Up 1 second"}}"#)
    };
    let all = (0..1000).map(one).collect::<Vec<_>>().join(",");
    let server = Server::new(move |_, _| json(&format!("[{all}]")));
    let containers = engine(&server).containers().await.unwrap();
    assert_eq!((containers.len(), server.requests().len()), (1000, 1));
    assert_eq!(containers[999].name, "c999");
}

#[tokio::test]
async fn odd_answers_are_refusals_and_no_panic() {
    for odd in [r#"[{"Id":"1","State":"hovering"}]"#, "{}", "[", "", "<html>", r#"[{"Id":7}]"#] {
        let server = Server::new(|_, _| json(odd));
        let error = engine(&server).containers().await.unwrap_err();
        assert!(matches!(error, DockerError::Refused { .. }), "{odd}: {error}");
    }
    let server = Server::new(|_, _| json(r#"[{},{"Id":"1","State":"","Health":{"Status":"unhealthy"}}]"#));
    let containers = engine(&server).containers().await.unwrap();
    assert_eq!((containers.len(), containers[0].state), (1, ContainerState::Unknown));
    assert_eq!(containers[0].health, Some(ContainerHealth::Unhealthy));
}

#[tokio::test]
async fn volumes_keep_what_a_backup_must_know() {
    let server = Server::new(|_, _| json(VOLUMES));
    let volumes = engine(&server).volumes().await.unwrap();
    assert_eq!(server.requests(), ["GET /v1.44/volumes"]);
    let names: Vec<_> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["shop_db", "media", "cloud"]);
    assert_eq!(volumes[1].options["device"], "/srv/media");
    assert_eq!(volumes[0].labels["com.docker.compose.volume"], "db");
    let none = Server::new(|_, _| json(r#"{"Volumes":null,"Warnings":null}"#));
    assert_eq!(engine(&none).volumes().await, Ok(vec![]));
}

#[tokio::test]
async fn an_inspection_tells_timeout_start_and_restarts() {
    let server = Server::new(|_, _| json(INSPECT));
    let details = engine(&server).inspect("shop-db-1").await.unwrap();
    assert_eq!(server.requests(), ["GET /v1.44/containers/shop-db-1/json"]);
    assert_eq!((details.state, details.health), (ContainerState::Running, Some(ContainerHealth::Healthy)));
    assert_eq!((details.restarts, details.exit_code), (2, None));
    assert_eq!(details.stop_timeout, Duration::from_secs(90));
    assert_eq!(details.started_at.unwrap().to_string(), "2025-11-20T06:26:31.987654321Z");
}

#[tokio::test]
async fn an_engine_that_speaks_another_version_is_asked_again_in_its_own() {
    let new = "client version 1.44 is too new. Maximum supported API version is 1.41";
    let server = Server::new(move |_, number| if number == 1 { message(400, new) } else { json("[]") });
    let engine = engine(&server);
    engine.containers().await.unwrap();
    engine.containers().await.unwrap();
    let versions: Vec<_> = server.requests().iter().map(|request| request[4..10].to_owned()).collect();
    assert_eq!(versions, ["/v1.44", "/v1.41", "/v1.41"]);
    // One that is never content is asked twice, not for ever.
    let stubborn = Server::new(move |_, _| message(400, new));
    let error = self::engine(&stubborn).containers().await.unwrap_err();
    assert!(matches!(error, DockerError::Refused { .. }), "{error}");
    assert_eq!(stubborn.requests().len(), 2);
}

#[tokio::test]
async fn a_stop_waits_until_the_container_has_exited() {
    for answer in [Answer::Empty(204), Answer::Empty(304)] {
        let server = Server::new(move |request, number| match request {
            "POST /containers/1f0e9d8c7b6a59483726150413f2e1d0c9b8a7968574635241302f1e0d9c8b7a/stop" => {
                answer.clone()
            }
            _ if number == 1 => in_state("running"),
            _ => in_state("exited"),
        });
        engine(&server).stop("shop-db-1").await.unwrap();
        assert_eq!(server.requests().len(), 3);
    }
}

#[tokio::test]
async fn a_container_that_is_down_is_not_stopped() {
    for state in ["exited", "created", "dead"] {
        let server = Server::new(move |_, _| in_state(state));
        engine(&server).stop("shop-db-1").await.unwrap();
        assert_eq!(server.requests().len(), 1, "{state}");
    }
}

#[tokio::test]
async fn a_stop_that_says_done_is_not_believed_while_the_container_runs() {
    for state in ["running", "paused", "stopping", ""] {
        let server =
            Server::new(
                move |request, _| {
                    if request.starts_with("POST") { Answer::Empty(204) } else { in_state(state) }
                },
            );
        let error = engine(&server).stop("shop-db-1").await.unwrap_err();
        assert!(matches!(error, DockerError::Refused { .. }), "{state}: {error}");
    }
}

#[tokio::test]
async fn a_container_removed_as_it_ends_has_stopped() {
    let gone = || message(404, "No such container: 1f0e");
    let at_stop = Server::new(move |_, number| if number == 1 { in_state("running") } else { gone() });
    engine(&at_stop).stop("shop-db-1").await.unwrap();
    let after_stop = Server::new(move |_, number| match number {
        1 => in_state("running"),
        2 => Answer::Empty(204),
        _ => gone(),
    });
    engine(&after_stop).stop("shop-db-1").await.unwrap();
    let never = Server::new(move |_, _| gone());
    let error = engine(&never).stop("x").await.unwrap_err();
    assert_eq!(error, DockerError::NotFound { kind: "container", name: "x".to_owned() });
}

#[tokio::test]
async fn a_stop_that_hangs_ends_ten_seconds_after_the_containers_own_timeout() {
    let server = Server::new(|request, _| {
        if request.starts_with("POST") {
            Answer::Hang
        } else {
            json(&INSPECT.replace(r#""StopTimeout":90"#, r#""StopTimeout":3"#))
        }
    });
    let engine = engine(&server);
    let reached = async {
        while server.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        // Nothing but the deadline is left to wait for: let its time pass at once.
        tokio::time::pause();
        tokio::time::Instant::now()
    };
    let (outcome, asked) = join(engine.stop("shop-db-1"), reached).await;
    let waited = asked.elapsed();
    assert_eq!(outcome, Err(DockerError::Deadline { action: "stop `shop-db-1`".to_owned(), seconds: 13 }));
    assert!((12..=13).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_start_is_content_with_a_running_container_and_tells_refusals() {
    for fine in [Answer::Empty(204), Answer::Empty(304)] {
        let server = Server::new(move |_, _| fine.clone());
        engine(&server).start("shop-db-1").await.unwrap();
        assert_eq!(server.requests(), ["POST /v1.44/containers/shop-db-1/start"]);
    }
    let server = Server::new(|_, _| message(500, "driver failed programming external connectivity"));
    let error = engine(&server).start("shop-db-1").await.unwrap_err();
    let reason = "driver failed programming external connectivity".to_owned();
    assert_eq!(error, DockerError::Refused { action: "start `shop-db-1`".to_owned(), reason });
}

#[tokio::test]
async fn a_conflict_is_fine_when_there_is_nothing_to_do() {
    let conflict = |state| {
        Server::new(
            move |request, _| {
                if request.starts_with("POST") { message(409, "conflict") } else { in_state(state) }
            },
        )
    };
    engine(&conflict("paused")).pause("shop-db-1").await.unwrap();
    engine(&conflict("running")).unpause("shop-db-1").await.unwrap();
    let error = engine(&conflict("exited")).pause("shop-db-1").await.unwrap_err();
    assert!(matches!(error, DockerError::Refused { .. }), "{error}");
    assert!(engine(&conflict("paused")).unpause("shop-db-1").await.is_err());
}

#[tokio::test]
async fn a_socket_that_is_missing_deserted_or_broken_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Engine::new(dir.path().join("none")).containers().await;
    assert!(matches!(missing, Err(DockerError::Unreachable { .. })), "{missing:?}");
    let deserted = dir.path().join("deserted");
    drop(std::os::unix::net::UnixListener::bind(&deserted).unwrap());
    let refused = Engine::new(deserted).containers().await;
    assert!(matches!(refused, Err(DockerError::Unreachable { .. })), "{refused:?}");
    let server = Server::new(|_, _| Answer::BreakOff);
    let broken = engine(&server).containers().await;
    assert!(matches!(broken, Err(DockerError::Unreachable { .. })), "{broken:?}");
}

#[tokio::test]
async fn an_engine_that_hangs_is_not_waited_for_and_one_that_is_slow_is() {
    let server = Server::new(|_, _| Answer::Hang);
    let error = engine(&server).containers().await.unwrap_err();
    let socket = server.socket().display().to_string();
    assert_eq!(error, DockerError::Unreachable { socket, reason: "no answer within 2 s".to_owned() });
    let ping = |request: &str, _| if request.ends_with("_ping") { json("OK") } else { Answer::Hang };
    let server = Server::new(ping);
    let slow = Engine { query: Duration::from_secs(3), ..engine(&server) };
    let error = slow.containers().await.unwrap_err();
    assert_eq!(error, DockerError::Deadline { action: "list containers".to_owned(), seconds: 3 });
}

#[tokio::test]
async fn a_name_that_could_change_the_path_never_leaves() {
    let server = Server::new(|_, _| Answer::Empty(204));
    for name in ["", "../images", "a/b", "a?force=1", "-a", "a%2f", "a b", "é"] {
        let error = engine(&server).start(name).await.unwrap_err();
        assert_eq!(error, DockerError::NotFound { kind: "container", name: name.to_owned() });
    }
    assert_eq!(server.requests(), [""; 0]);
}

#[tokio::test]
async fn a_log_is_asked_for_with_times_and_comes_in_entries() {
    let frame = |kind: char, text: &str| {
        let text = format!("2026-11-20T09:00:00.123456789Z {text}");
        format!("{kind}\0\0\0\0\0\0{}{text}", char::from(u8::try_from(text.len()).unwrap()))
    };
    let body = frame('\u{1}', "one\n") + &frame('\u{2}', "two\n") + &frame('\u{1}', "open");
    let server = Server::new(move |_, _| Answer::Chunked(body.clone()));
    let since = Some("2026-11-20T08:00:00.000000007Z".parse().unwrap());
    let query = LogQuery { follow: false, since, tail: Some(5) };
    let portions: Vec<_> = engine(&server).logs("web-1", query).await.unwrap().collect().await;
    let entries: Vec<Written> = portions.into_iter().flat_map(Result::unwrap).collect();
    let texts: Vec<_> =
        entries.iter().map(|entry| (entry.stream, entry.bytes.as_slice(), entry.ends)).collect();
    let (out, err) = (OutputStream::Stdout, OutputStream::Stderr);
    let wanted: [(_, &[u8], _); 3] = [(out, b"one", true), (err, b"two", true), (out, b"open", false)];
    assert_eq!(texts, wanted);
    assert_eq!(
        server.requests(),
        ["GET /v1.44/containers/web-1/logs?stdout=true&stderr=true&timestamps=true&follow=false&tail=5\
          &since=1795161600.000000007"]
    );
}

#[tokio::test]
async fn a_log_that_cannot_be_read_says_why() {
    let query = LogQuery { follow: true, since: None, tail: None };
    let driver = "configured logging driver does not support reading";
    let server = Server::new(move |_, _| message(501, driver));
    let error = engine(&server).logs("web-1", query).await.err().unwrap();
    assert_eq!(error.to_string(), format!("Docker refused to read the log of `web-1`: {driver}"));
    let server = Server::new(|_, _| message(404, "No such container: web-1"));
    let error = engine(&server).logs("web-1", query).await.err().unwrap();
    assert!(matches!(error, DockerError::NotFound { .. }), "{error}");
    let error = engine(&server).logs("../images/json?", query).await.err().unwrap();
    assert!(matches!(error, DockerError::NotFound { .. }), "{error}");
    assert_eq!(server.requests().len(), 1);
    let new = "client version 1.44 is too new. Maximum supported API version is 1.41";
    let server = Server::new(move |_, number| if number == 1 { message(400, new) } else { json("") });
    drop(engine(&server).logs("web-1", query).await.unwrap());
    assert!(server.requests()[1].starts_with("GET /v1.41/"), "{:?}", server.requests());
}

#[tokio::test]
async fn a_log_that_breaks_off_or_stands_still_is_no_end() {
    let query = LogQuery { follow: false, since: None, tail: None };
    let server = Server::new(|_, _| Answer::BreakOff);
    let portions: Vec<_> = engine(&server).logs("web-1", query).await.unwrap().collect().await;
    // `[{` is no frame.
    assert!(portions.iter().any(Result::is_ok), "{portions:?}");
    assert!(matches!(portions.last(), Some(Err(DockerError::Unreachable { .. }))), "{portions:?}");
    let server = Server::new(|_, _| Answer::Hang);
    let mut engine = engine(&server);
    engine.query = Duration::from_millis(50);
    let error = engine.logs("web-1", query).await.err().unwrap();
    assert!(matches!(error, DockerError::Deadline { .. }), "{error}");
}

#[tokio::test]
async fn starts_and_removals_are_told_as_they_come() {
    let event = |action: &str| {
        format!(
            r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"5c0f","Attributes":{{"name":"web"}}}}}}"#
        )
    };
    let body = [event("start"), "odd".to_owned(), event("exec_start"), event("destroy")].join("\n") + "\n";
    let server = Server::new(move |_, _| Answer::Chunked(body.clone()));
    let told: Vec<_> = engine(&server).happenings().await.unwrap().collect().await;
    let kinds: Vec<_> = told.into_iter().map(|told| told.unwrap().kind).collect();
    assert_eq!(kinds, [HappeningKind::Started, HappeningKind::Removed]);
    assert!(server.requests()[0].starts_with("GET /v1.44/events?filters=%7B%22type%22"));
}
