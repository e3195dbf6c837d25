//! Skeletons and their templates, under bounds: one engine serves one adapter under one setting.

use std::collections::hash_map::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;

use crate::plan::{Line, Plan};
use crate::quick_hash::Seeded;
use crate::scan::Scan;
use crate::site::Site;
use crate::spec::Spec;

/// Skeletons with a template or a refusal; when full, all are forgotten and learnt anew.
const MAX_PLANS: usize = 8192;
/// Of all skeletons and templates together; passed, all are forgotten.
const MAX_PLAN_BYTES: usize = 32 << 20;
/// Lines after which the counting of skeletons begins anew; so many are remembered at most.
const SEEN_LINES: u64 = 32_768;
/// A skeleton is learnt when it is met for this time: lines that never repeat are not worth it.
const LEARN_AT: u8 = 3;
/// Learning costs as much as some twenty lines: beyond the first skeletons, one may be learnt for so many lines that templates
/// served, or that were merely read, so that a log of ever new skeletons does not pay for what it never gains.
const SERVED_PER_PLAN: u64 = 64;
const LINES_PER_PLAN: u64 = 2048;
const FREE_PLANS: u64 = 512;
/// Lines that no template can serve, and whose skeleton is another one each second, would be tried for ever: beyond the first that came to
/// nothing, one may be tried for so many lines.
const LINES_PER_REFUSAL: u64 = 1024;
const FREE_REFUSALS: u64 = 128;
/// Longer lines are left to the slow path.
const MAX_LINE: usize = 65_536;

/// What is known of a skeleton.
enum Answer {
    Template(Plan),
    /// Not to be learnt for now.
    Refused,
    /// Found wrong: never to be learnt again.
    Barred,
}

/// See the module.
pub struct Engine {
    spec: Spec,
    name: Vec<u8>,
    scan: Scan,
    plans: HashMap<Vec<u8>, Answer, Seeded>,
    plan_bytes: usize,
    seen: HashMap<u64, u8>,
    hasher: RandomState,
    lines: u64,
    served: u64,
    counted_from: u64,
    learnt: u64,
    refused: u64,
    wants: bool,
    /// What the last line needed to be known of the site, and was not.
    pub missing: Vec<u8>,
    pub site: Site,
    pub json: Vec<u8>,
    pub id: Vec<u8>,
}

impl Engine {
    pub fn new(spec: &[u8], name: &[u8]) -> Option<Engine> {
        Some(Engine {
            spec: Spec::parse(spec)?,
            name: name.to_vec(),
            scan: Scan::default(),
            plans: HashMap::with_hasher(Seeded::new(&RandomState::new())),
            plan_bytes: 0,
            seen: HashMap::new(),
            hasher: RandomState::new(),
            lines: 0,
            served: 0,
            counted_from: 0,
            learnt: 0,
            refused: 0,
            wants: false,
            missing: Vec::new(),
            site: Site::default(),
            json: Vec::new(),
            id: Vec::new(),
        })
    }

    /// Make the event of a line in `json` and `id`, and return its time; None where no template serves it.
    pub fn take(&mut self, raw: &[u8], received_us: i64) -> Option<i64> {
        self.wants = false;
        self.missing.clear();
        self.lines += 1;
        if self.lines - self.counted_from >= SEEN_LINES {
            self.begin_anew();
        }
        if raw.len() > MAX_LINE || !self.scan.read(raw, &self.spec) {
            return None;
        }
        match self.plans.get(&self.scan.skeleton) {
            Some(Answer::Template(plan)) => {
                self.json.clear();
                self.id.clear();
                let line = Line {
                    raw,
                    holes: &self.scan.holes,
                    received_us,
                    name: &self.name,
                    offsets: &self.spec.offsets,
                    site: &self.site,
                };
                let made = plan.fill(&line, &mut self.json, &mut self.id, &mut self.missing);
                self.served += u64::from(made.is_some());
                made
            }
            Some(_) => None,
            None => {
                self.count();
                None
            }
        }
    }

    /// Count skeletons anew, and let those be tried again that could not be learnt: a clock may have been wrong.
    fn begin_anew(&mut self) {
        self.counted_from = self.lines;
        self.seen.clear();
        self.plans
            .retain(|_, answer| !matches!(answer, Answer::Refused));
    }

    fn count(&mut self) {
        let times = self
            .seen
            .entry(self.hasher.hash_one(&self.scan.skeleton))
            .or_insert(0);
        *times = times.saturating_add(1);
        let earned = self.served / SERVED_PER_PLAN + self.lines / LINES_PER_PLAN;
        self.wants = *times >= LEARN_AT
            && self.learnt < FREE_PLANS + earned
            && self.refused < FREE_REFUSALS + self.lines / LINES_PER_REFUSAL;
    }

    /// Whether the line that `take` refused last is worth learning.
    pub fn wants(&self) -> bool {
        self.wants
    }

    /// The skeleton and holes of a line.
    pub fn scan(&mut self, raw: &[u8]) -> Option<&Scan> {
        if raw.len() > MAX_LINE || !self.scan.read(raw, &self.spec) {
            return None;
        }
        Some(&self.scan)
    }

    /// Remember a template for lines like this one; an empty one: they are not served for a while, `!`: never.
    pub fn learn(&mut self, raw: &[u8], plan: &[u8]) -> bool {
        if raw.len() > MAX_LINE || !self.scan.read(raw, &self.spec) {
            return false;
        }
        let answer = match plan {
            b"" => Answer::Refused,
            b"!" => Answer::Barred,
            _ => match Plan::parse(plan, &self.scan.holes) {
                Some(plan) => Answer::Template(plan),
                None => return false,
            },
        };
        let size = self.scan.skeleton.len() + plan.len() * 2;
        if self.plans.len() >= MAX_PLANS || self.plan_bytes + size > MAX_PLAN_BYTES {
            self.plans.clear();
            self.plan_bytes = 0;
        }
        self.plan_bytes += size;
        self.learnt += 1;
        self.refused += u64::from(!matches!(answer, Answer::Template(_)));
        self.plans.insert(self.scan.skeleton.clone(), answer);
        true
    }
}
