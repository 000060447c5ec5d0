use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::sync::watch;

/// Callers who ask for one page at once, whom the origin lets wait until all have come.
#[derive(Debug)]
pub(crate) struct Crowd {
    come: watch::Sender<usize>,
    is_first_gone: watch::Sender<bool>,
    is_answered: watch::Sender<bool>,
}

/// The crowds that there are now, by the number of the page.
#[derive(Debug, Default)]
pub(crate) struct Crowds(Mutex<HashMap<usize, Arc<Crowd>>>);

impl Crowds {
    pub(crate) fn gather(&self, page: usize) -> Arc<Crowd> {
        let crowd = Arc::new(Crowd {
            come: watch::Sender::new(0),
            is_first_gone: watch::Sender::new(false),
            is_answered: watch::Sender::new(false),
        });
        self.0.lock().unwrap().insert(page, crowd.clone());
        crowd
    }

    pub(crate) fn disperse(&self, page: usize) {
        self.0.lock().unwrap().remove(&page);
    }

    pub(crate) fn at(&self, path: &str) -> Option<Arc<Crowd>> {
        let page = path.split('/').nth(1)?.parse().ok()?;
        self.0.lock().unwrap().get(&page).cloned()
    }
}

impl Crowd {
    /// The call of one more has got as far as it can for now.
    pub(crate) fn one_came(&self) {
        self.come.send_modify(|come| *come += 1);
    }

    pub(crate) async fn have_come(&self, callers: usize) {
        self.come.subscribe().wait_for(|come| *come >= callers).await.unwrap();
    }

    pub(crate) fn first_went(&self) {
        self.is_first_gone.send_replace(true);
    }

    pub(crate) async fn first_is_gone(&self) {
        self.is_first_gone.subscribe().wait_for(|is_gone| *is_gone).await.unwrap();
    }

    pub(crate) fn answer(&self) {
        self.is_answered.send_replace(true);
    }

    pub(crate) async fn is_answered(&self) {
        self.is_answered.subscribe().wait_for(|is_answered| *is_answered).await.unwrap();
    }
}
