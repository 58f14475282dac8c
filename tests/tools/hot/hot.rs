// hot SECONDS FILE: audit_orders of Rust, for seconds of CPU time; pprof-rs
// writes the profile to FILE.
use pprof::protos::Message;
use regex::Regex;
use serde_json::{json, Value};

#[inline(never)]
fn audit_orders(orders: &mut Value, sku: &Regex, n: u64) -> usize {
    orders["id"] = json!(n);
    let text = serde_json::to_string(orders).unwrap();
    sku.replace_all(&text, "$1").len()
}

#[inline(never)]
fn ship_order(n: u64) -> usize {
    let mut names = Vec::new();
    for i in 0..40 {
        names.push(format!("sku-{}", (n * 7919 + i * 104729) % 9973));
    }
    names.sort();
    names[0].len()
}

#[inline(never)]
fn place_order(orders: &mut Value, sku: &Regex, n: u64) -> usize {
    audit_orders(orders, sku, n) + ship_order(n)
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let seconds: f64 = args[1].parse().unwrap();
    let sku = Regex::new("sku-([0-9]+)(-[a-z]+)*").unwrap();
    let mut orders = json!({});
    for i in 0..40 {
        orders[format!("item{i}")] = json!([format!("sku-{i}-red"), i, 1.5]);
    }
    let guard = pprof::ProfilerGuard::new(500).unwrap();
    let mut n = 0;
    while cpu_seconds() < seconds {
        for _ in 0..100 {
            place_order(&mut orders, &sku, n);
            n += 1;
        }
    }
    let profile = guard.report().build().unwrap().pprof().unwrap();
    std::fs::write(&args[2], profile.encode_to_vec()).unwrap();
}
