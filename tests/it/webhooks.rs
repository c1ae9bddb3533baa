//! Webhooks: a receiver gets every event, those of a customer in their order, whatever becomes of it or of the service.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use standardwebhooks::Webhook;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::sample::Sample;
use crate::served::Served;

/// What is not there by then does not come, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OLD_KEY: &str = "whsec_b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2w=";
const CUSTOMERS: usize = 6;

/// A post that came: the event, and what was answered.
#[derive(Debug, Clone)]
struct Post {
    id: String,
    event: Value,
    status: u16,
}

/// What is answered to an event: a status, and how long that takes.
type Answers = Box<dyn Fn(usize, &Value) -> (u16, Duration) + Send + Sync>;

/// Somebody whom events are posted to.
struct Receiver {
    url: String,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Receiver {
    /// One that answers so; the first argument is how many posts came before.
    fn start(
        address: &str,
        answers: impl Fn(usize, &Value) -> (u16, Duration) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let url = format!("http://{}/hook?tenant=7", listener.local_addr().unwrap());
        let posts = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers): (_, Arc<Answers>) = (posts.clone(), Arc::new(Box::new(answers)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answers) = (kept.clone(), answers.clone());
                std::thread::spawn(move || take(stream, &kept, &answers));
            }
        });
        Self { url, posts }
    }

    fn always(status: u16) -> Self {
        Self::start("127.0.0.1:0", move |_, _| (status, Duration::ZERO))
    }

    fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// Waits until there are more than so many.
    fn until_more_than(&self, before: usize) {
        let began = Instant::now();
        while self.posts().len() <= before {
            assert!(began.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until so many different events were taken.
    fn until(&self, events: usize) -> Vec<Post> {
        let began = Instant::now();
        loop {
            let posts = self.posts();
            let taken: std::collections::BTreeSet<&str> =
                posts.iter().filter(|post| post.status < 300).map(|post| post.id.as_str()).collect();
            if taken.len() >= events {
                assert_eq!(taken.len(), events, "{posts:#?}");
                return posts;
            }
            assert!(began.elapsed() < PATIENCE, "{} of {events}", taken.len());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn take(mut stream: TcpStream, posts: &Mutex<Vec<Post>>, answers: &Answers) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut headers, mut bytes) = (String::new(), HeaderMap::new(), 0);
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    assert_eq!(line, "POST /hook?tenant=7 HTTP/1.1\r\n");
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        let name: HeaderName = name.parse().unwrap();
        if name == "content-length" {
            bytes = value.parse().unwrap();
        }
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    let mut body = vec![0; bytes];
    reader.read_exact(&mut body).unwrap();
    for key in [KEY, OLD_KEY] {
        Webhook::new(key).unwrap().verify(&body, &headers).unwrap();
    }
    assert_eq!(headers["content-type"], "application/cloudevents+json");
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(headers["webhook-id"], event["id"].as_str().unwrap());
    let before = posts.lock().unwrap().len();
    let (status, takes) = answers(before, &event);
    std::thread::sleep(takes);
    posts.lock().unwrap().push(Post { id: event["id"].as_str().unwrap().into(), event, status });
    let _ = write!(stream, "HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

/// Customers with a quota of 10 calls each, of which somebody wants to know 80 and 100 percent.
fn project() -> Sample {
    let sample = Sample::blank();
    let customers = 0..CUSTOMERS;
    let rows = |header: &str, row: &dyn Fn(usize) -> String| {
        let rows = customers.clone().map(|number| row(number) + "\n").collect::<String>();
        format!("{header}\n{rows}")
    };
    sample.write("data/customer.csv", &rows("customer_id,customer_name", &|n| format!("c{n},Customer {n}")));
    let contracts = "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from";
    sample.write(
        "data/contract.csv",
        &rows(contracts, &|n| format!("K{n},c{n},EUR,UTC,month,2026-06-01T00:00:00Z")),
    );
    let items =
        "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,quota_id,valid_from";
    sample.write(
        "data/contract_item.csv",
        &rows(items, &|n| format!("i{n},K{n},p,Calls,call,quantity,calls,2026-06-01T00:00:00Z")),
    );
    sample.write("data/quota.csv", "quota_id,included_quantity,valid_from\ncalls,10,2026-01-01\n");
    sample.write("data/quota_threshold.csv", "quota_id,used_percent\ncalls,80\ncalls,100\n");
    sample.write(
        "data/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\np1,p,per_unit,2,2026-01-01\n",
    );
    sample
}

/// Lands a record of each customer, and runs.
fn use_up(sample: &Sample, id: &str, quantity: u32) {
    let record = |number: usize| {
        format!(
            "{{\"transaction_id\": \"{id}{number}\", \"usage_type\": \"call\", \"contract_id\": \"K{number}\", \
             \"usage_start\": \"2026-06-02T08:00:00Z\", \"quantity\": {quantity}}}\n"
        )
    };
    let file = format!("{id}.ndjson");
    sample.write(&file, &(0..CUSTOMERS).map(record).collect::<String>());
    sample.ok(&["land", sample.path().join(file).to_str().unwrap()]);
    sample.ok(&["run"]);
}

fn take_back(sample: &Sample, id: &str) {
    let ids: Vec<String> = (0..CUSTOMERS).map(|number| format!("{id}{number}")).collect();
    let mut arguments = vec!["void", "--reason", "x"];
    arguments.extend(ids.iter().map(String::as_str));
    sample.ok(&arguments);
    sample.ok(&["run"]);
}

/// The sample with a webhook that leads there.
fn posting_to(sample: &Sample, url: &str, more: &str) {
    let settings = sample.read("meterhouse.toml");
    let settings = settings.split("\n[webhooks").next().unwrap();
    let webhook = format!("[webhooks.billing]\nurl = \"{url}\"\nkeys = [\"NEW_KEY\", \"OLD_KEY\"]\n{more}\n");
    sample.write("meterhouse.toml", &format!("{settings}\n{webhook}"));
}

fn serve(sample: &Sample) -> Served {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
    command.current_dir(sample.path()).env("NO_COLOR", "1").env("NEW_KEY", KEY).env("OLD_KEY", OLD_KEY);
    let served = Served::of(command);
    // It notes where it begins before anything happens.
    let began = Instant::now();
    while !sample.path().join("warehouse/registry/webhook/billing").exists() {
        assert!(began.elapsed() < PATIENCE, "{}", served.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    served
}

/// Every event of each customer was first taken in the order of the feed.
fn are_in_order(posts: &[Post]) {
    let mut of_customer: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for post in posts.iter().filter(|post| post.status < 300) {
        let sequence = post.event["sequence"].as_str().unwrap().to_string();
        let all = of_customer.entry(post.event["data"]["customer_id"].to_string()).or_default();
        if !all.contains(&sequence) {
            all.push(sequence);
        }
    }
    for (customer, sequences) in of_customer {
        assert!(sequences.is_sorted(), "{customer}: {sequences:?}");
    }
}

#[test]
fn events_are_posted_signed_by_both_keys_and_again_when_asked() {
    let sample = project();
    use_up(&sample, "a", 8);
    let receiver = Receiver::always(204);
    posting_to(&sample, &receiver.url, "private = true\nkinds = [\"quota_reached\"]");
    let served = serve(&sample);
    use_up(&sample, "b", 2);
    take_back(&sample, "b");
    sample.ok(&["close", "--period", "2026-06", "--confirm", "2026-06", "--by", "anna"]);
    // What had happened before somebody listened is not posted, nor what nobody asked for.
    let posts = receiver.until(2 * CUSTOMERS);
    are_in_order(&posts);
    assert_eq!(posts.len(), 2 * CUSTOMERS, "each came once");
    let types: Vec<&str> = posts.iter().map(|post| post.event["type"].as_str().unwrap()).collect();
    assert_eq!(types.iter().filter(|one| **one == "meterhouse.quota_reached").count(), CUSTOMERS);
    assert_eq!(types.iter().filter(|one| **one == "meterhouse.quota_reached.ended").count(), CUSTOMERS);
    let metrics = served.get("/metrics").body;
    let counted =
        format!("meterhouse_posts_total{{webhook=\"billing\",outcome=\"taken\"}} {}", 2 * CUSTOMERS);
    assert!(metrics.contains(&counted), "{metrics}");
    // Again, those behind the first six.
    sample.ok(&["events", "--redeliver", "billing", "--after", "6"]);
    let began = Instant::now();
    while receiver.posts().len() < 4 * CUSTOMERS {
        assert!(began.elapsed() < PATIENCE, "{}", served.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    let (status, said) = served.stop();
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(receiver.posts().len(), 4 * CUSTOMERS);
    // Set ahead of what has happened, it would pass over what comes.
    let (_, said) = sample.fails(&["events", "--redeliver", "billing", "--after", "1000"]);
    assert!(said.contains("--after 1000: there are events 1 to "), "{said}");
    let (_, said) = sample.fails(&["events", "--redeliver", "billling", "--after", "6"]);
    assert!(said.contains("there is no webhook `billling`"), "{said}");
}

#[test]
fn a_receiver_that_is_down_slow_or_refuses_gets_all_events_in_order() {
    let sample = project();
    sample.ok(&["run"]);
    // Nobody is there at first.
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    posting_to(&sample, &format!("http://{address}/hook?tenant=7"), "private = true");
    let served = serve(&sample);
    use_up(&sample, "a", 8);
    use_up(&sample, "b", 2);
    take_back(&sample, "b");
    std::thread::sleep(Duration::from_secs(2));
    let receiver = Receiver::start(&address, |before, event| {
        let is_first = event["data"]["customer_id"] == "c0";
        match before {
            0..3 => (500, Duration::ZERO),
            3..5 => (410, Duration::ZERO),
            5 => (302, Duration::ZERO),
            // One customer is refused for longer; the others go on.
            6..20 if is_first => (500, Duration::ZERO),
            _ => (200, Duration::from_millis(if before % 3 == 0 { 300 } else { 0 })),
        }
    });
    let posts = receiver.until(3 * CUSTOMERS);
    are_in_order(&posts);
    assert!(posts.iter().any(|post| post.status == 410) && posts.iter().any(|post| post.status == 302));
    let said = served.said();
    assert!(said.contains("warning: webhook billing: "), "{said}");
    assert!(!said.contains("tenant=7"), "a URL may hold a secret: {said}");
    served.stop();
}

#[test]
fn what_a_killed_service_had_not_posted_another_posts() {
    // Each takes half a minute: the next one waits until the claim of the last has run out.
    let kills: usize = std::env::var("METERHOUSE_WEBHOOK_KILLS").map_or(1, |kills| kills.parse().unwrap());
    let sample = project();
    sample.ok(&["run"]);
    let receiver = Receiver::start("127.0.0.1:0", |_, _| (200, Duration::from_millis(150)));
    posting_to(&sample, &receiver.url, "private = true");
    for kill in 0..kills {
        let first = serve(&sample);
        let (id, before) = (format!("a{kill}-"), receiver.posts().len());
        use_up(&sample, &id, 10);
        take_back(&sample, &id);
        receiver.until_more_than(before);
        // It goes with posts on their way, at a time that is another in each round, and the same in each run.
        std::thread::sleep(Duration::from_millis(kill as u64 * 7919 % 1500));
        drop(first);
    }
    let services = [serve(&sample), serve(&sample)];
    use_up(&sample, "b", 10);
    let posts = receiver.until((4 * kills + 2) * CUSTOMERS);
    are_in_order(&posts);
    for served in services {
        let (status, said) = served.stop();
        assert_eq!(status, Some(0), "{said}");
    }
    eprintln!("{kills} kills, {} posts of {} events", posts.len(), (4 * kills + 2) * CUSTOMERS);
}

#[test]
fn a_webhook_that_cannot_be_meant_is_refused_at_the_start() {
    let sample = project();
    let refused = |url: &str, more: &str, keys: &[(&str, &str)]| {
        posting_to(&sample, url, more);
        let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
        command.current_dir(sample.path()).env("NO_COLOR", "1").envs(keys.iter().copied());
        let output = command.args(["serve", "--bind", "127.0.0.1:0"]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let keys = [("NEW_KEY", KEY), ("OLD_KEY", OLD_KEY)];
    for address in
        ["https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::1]:8443/", "https://10.1.2.3/"]
    {
        let said = refused(address, "", &keys);
        assert!(said.contains("of this machine or of a private network"), "{said}");
        assert!(said.contains("meterhouse.toml"), "{said}");
    }
    let said = refused("http://example.com/hook", "", &keys);
    assert!(said.contains("events go over TLS"), "{said}");
    let said = refused("https://example.com/", "", &[("NEW_KEY", KEY)]);
    assert!(said.contains("OLD_KEY is not in the environment"), "{said}");
    let said = refused("https://example.com/", "", &[("NEW_KEY", KEY), ("OLD_KEY", "whsec_c2hvcnQ=")]);
    assert!(said.contains("OLD_KEY is no key of 24 bytes or more"), "{said}");
    let said = refused("https://example.com/", "kinds = [\"quota_rached\"]", &keys);
    assert!(said.contains("there is no kind of events `quota_rached`"), "{said}");
    let said = refused("https://example.com/", "\n[events]\nhand_over = \"schedule\"", &keys);
    assert!(said.contains("webhooks have nothing to post"), "{said}");
}

#[test]
fn a_name_of_this_machine_is_refused_when_it_is_asked_for() {
    let sample = project();
    sample.ok(&["run"]);
    posting_to(&sample, "https://localhost:9/hook", "");
    let served = serve(&sample);
    use_up(&sample, "a", 10);
    let began = Instant::now();
    while !served.said().contains("localhost has no public address") {
        assert!(began.elapsed() < PATIENCE, "{}", served.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    served.stop();
}
