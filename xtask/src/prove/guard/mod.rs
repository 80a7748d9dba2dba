//! Row `guard`: nobody is led to an address that is not meant, by a URL, a name or a redirect; no secret goes where it is not bound to or
//! comes back; no body is without end.

mod replies;
mod stage;
mod urls;

use std::sync::atomic::Ordering;

use nbhd_core::secure::{Access, SecureRequest};
use nbhd_core::testkit::{Reply, Server};
use nbhd_core::transport::HostRule;
use nbhd_core::{Host, http::Url};

use super::row::{Defect, Row, Seen};
use super::stage::Stage;
use stage::{Door, Named, Recorder, code_of, host_over, socket_with};

pub(super) const ROW: Row = Row {
    name: "guard",
    promise: "a request reaches only what is allowed, and a secret only where it is bound to",
    attack: "hostile URLs, names, redirects, rebinding, bodies and secrets, each against its expected code; permitted requests between them",
    needs: &[],
    run,
    defects: &[
        Defect {
            name: "redirect-unchecked",
            plants: "redirects are followed below the guard, which sees only where they end",
            shows_as: "was reached by a redirect",
        },
        Defect {
            name: "resolve-again",
            plants: "the connection resolves the name again after it was checked",
            shows_as: "was reached by rebinding",
        },
    ],
};

fn run(_stage: &Stage, defect: Option<&'static str>) -> Result<Seen, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut seen = Seen::default();
    let counts = runtime.block_on(async {
        let mut counts = Vec::new();
        if defect.is_none() {
            counts.push(("URLs", written(&mut seen).await?));
            counts.push(("names", named(&mut seen).await?));
        }
        counts.push(("redirects", redirected(&mut seen, defect).await?));
        counts.push(("rebindings", rebound(&mut seen, defect).await?));
        counts.push(("bodies", replies::bodies(&mut seen).await?));
        counts.push(("secrets", replies::secrets(&mut seen).await?));
        Ok::<_, String>(counts)
    })?;
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    seen.times = format!("{total} attacks");
    for (what, count) in counts {
        seen.fact(format!("{count} {what}"));
    }
    Ok(seen)
}

/// Allows the host of a URL, whatever it is: it is the address that has to be refused then.
fn allowing(url: &str) -> Access {
    let parsed: Option<Url> = url.parse().ok();
    let host = parsed
        .as_ref()
        .and_then(Url::host_str)
        .unwrap_or("api.example.org");
    let rule = HostRule::new(host).or_else(|_| HostRule::new("api.example.org"));
    rule.map_or_else(|_| Access::new(), |rule| Access::new().with_host(rule))
}

/// Every address in every notation, its host allowed; and what looks like the one host that is.
async fn written(seen: &mut Seen) -> Result<usize, String> {
    let (recorder, host) = Recorder::host();
    let addresses = urls::addresses();
    let tricks = urls::tricks();
    for hostile in &addresses {
        attack(seen, &host, &hostile.url, hostile.code, &allowing(&hostile.url)).await;
    }
    let rule = HostRule::new("api.example.org:443").map_err(|error| error.to_string())?;
    let only = Access::new().with_host(rule);
    for hostile in &tricks {
        attack(seen, &host, &hostile.url, hostile.code, &only).await;
    }
    let reached = recorder.reached.load(Ordering::Relaxed);
    seen.expect(reached == 0, || {
        format!("{reached} hostile URLs came past the guard")
    });
    // The other way round: what may pass does.
    let permitted = [
        "https://api.example.org/v1",
        "https://API.EXAMPLE.ORG:443/?q=1",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        "https://0x08.010.2056/",
    ];
    for url in permitted {
        let came = code_of(
            host.secure_request(&SecureRequest::get(url), &allowing(url))
                .await,
        );
        seen.expect(came == "ok", || format!("the permitted {url} came to {came}"));
    }
    seen.expect(
        recorder.reached.load(Ordering::Relaxed) == permitted.len(),
        || "a permitted request did not arrive".to_owned(),
    );
    seen.fact(format!("{} permitted requests passed", permitted.len()));
    Ok(addresses.len() + tricks.len())
}

async fn attack(seen: &mut Seen, host: &Host, url: &str, code: &str, access: &Access) {
    let result = host.secure_request(&SecureRequest::get(url), access).await;
    let sent = result
        .as_ref()
        .err()
        .is_none_or(|error| error.outcome().name() != "not_sent");
    let came = code_of(result);
    seen.expect(came == code && !sent, || {
        format!("{url:?} came to {came}, not to {code}")
    });
}

/// Names that stand for what is not public, through the socket that really connects.
async fn named(seen: &mut Seen) -> Result<usize, String> {
    let door = Door::open("127.0.0.1:0", "trap")?;
    let names = urls::names();
    for (name, addresses) in &names {
        let host = host_over(socket_with(Named::new([addresses.clone()])));
        let url = format!("https://{name}:{}/", door.port());
        attack(seen, &host, &url, "address_denied", &allowing(&url)).await;
    }
    seen.expect(door.visits() == 0, || {
        format!("a hostile name was connected to {} times", door.visits())
    });
    // The same socket and door, by a name that may stand for this machine.
    let host = host_over(socket_with(Named::new([vec!["127.0.0.1"]])));
    let url = format!("http://localhost:{}/", door.port());
    let came = code_of(
        host.secure_request(&SecureRequest::get(&url), &allowing(&url).with_loopback())
            .await,
    );
    seen.expect(came == "ok" && door.visits() == 1, || {
        format!("the permitted {url} came to {came}")
    });
    Ok(names.len())
}

/// A name that stands for something else the second time it is asked.
async fn rebound(seen: &mut Seen, defect: Option<&str>) -> Result<usize, String> {
    const TIMES: usize = 25;
    let permitted = Door::open("127.0.0.2:0", "permitted")?;
    // What 0.0.0.0 leads to on this port.
    let trap = Door::open(&format!("127.0.0.1:{}", permitted.port()), "trap")?;
    let url = format!("http://localhost:{}/", permitted.port());
    let access = allowing(&url).with_loopback();
    for _ in 0..TIMES {
        let resolver = Named::new([vec!["127.0.0.2"], vec!["0.0.0.0"]]);
        let socket = socket_with(resolver.clone());
        let host = if defect == Some("resolve-again") {
            host_over(nbhd_core::testkit::Rebound::new(socket, resolver))
        } else {
            host_over(socket)
        };
        let first = host.secure_request(&SecureRequest::get(&url), &access).await;
        let said = first.ok().and_then(|answer| answer.text).unwrap_or_default();
        seen.expect(said == "permitted", || {
            format!("the checked address was not connected to: {said:?}")
        });
        if defect.is_none() {
            // The connection was closed; the next one is resolved, and checked, anew.
            let came = code_of(host.secure_request(&SecureRequest::get(&url), &access).await);
            seen.expect(came == "address_denied", || {
                format!("the second answer of the name came to {came}")
            });
        }
    }
    seen.expect(trap.visits() == 0, || {
        format!(
            "the inner server was reached by rebinding, {} times",
            trap.visits()
        )
    });
    Ok(TIMES * 2)
}

/// Redirects to every hostile address, to a host that is not allowed, and to one that is: with a secret in a header of its own.
async fn redirected(seen: &mut Seen, defect: Option<&str>) -> Result<usize, String> {
    let trap = Server::start(std::sync::Arc::new(|_| Reply::text(200, "trap")))
        .map_err(|error| error.to_string())?;
    let friend = Server::start(std::sync::Arc::new(|_| Reply::text(200, "friend")))
        .map_err(|error| error.to_string())?;
    let server = Server::start(std::sync::Arc::new(stage::redirector)).map_err(|error| error.to_string())?;
    let mut targets = vec![(trap.url().to_string(), "address_denied")];
    if defect.is_none() {
        targets.extend(
            urls::addresses()
                .into_iter()
                .map(|hostile| (hostile.url, hostile.code)),
        );
        let schemes = [
            "http://example.org/",
            "ftp://example.org/",
            "file:///etc/passwd",
            "https://user:pw@example.org/",
        ];
        targets.extend(schemes.map(|url| (url.to_owned(), "address_denied")));
        targets.extend(
            ["https://", "https://256.0.0.1/", "https://[::1/"].map(|url| (url.to_owned(), "protocol_error")),
        );
    }
    let plain = nbhd_core::transport::Socket::default();
    let host = if defect == Some("redirect-unchecked") {
        use nbhd_core::testkit::{SabotagedTransport, TransportSabotage};
        host_over(SabotagedTransport::new(
            std::sync::Arc::new(plain),
            TransportSabotage::FollowRedirects,
        ))
    } else {
        host_over(plain)
    };
    let access = stage::keyed(&server, &friend)?;
    let mut count = 0;
    for status in [301, 302, 303, 307, 308] {
        for (target, code) in &targets {
            let came = code_of(stage::redirect(&host, &server, status, target, &access).await);
            seen.expect(came == *code, || {
                format!("a {status} to {target} came to {came}, not to {code}")
            });
            count += 1;
        }
        // To a friend, it is followed, and the secret stays.
        let before = friend.log().len();
        let came = code_of(stage::redirect(&host, &server, status, friend.url().as_str(), &access).await);
        seen.expect(came == "ok" && friend.log().len() == before + 1, || {
            format!("a permitted {status} came to {came}")
        });
        count += 1;
    }
    let visits = trap.log().len();
    seen.expect(visits == 0, || {
        format!("what is not allowed was reached by a redirect, {visits} times")
    });
    for call in friend.log().calls().iter().chain(&trap.log().calls()) {
        let leaked = call
            .headers
            .values()
            .any(|value| value.as_bytes() == stage::KEY.as_bytes());
        seen.expect(!leaked && call.header("x-custom").is_none(), || {
            "a secret header went to another origin".to_owned()
        });
    }
    let keyed = server
        .log()
        .calls()
        .iter()
        .filter(|call| call.header("x-key") == Some(stage::KEY))
        .count();
    seen.expect(keyed == count, || {
        format!("only {keyed} of {count} requests carried the secret to its own origin")
    });
    Ok(count)
}
