use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tower::{Layer, ServiceExt, service_fn};
use tower_failover::{
    BoxError, FallbackLayer,
    event::{Event, Log, Reason},
    fallback::Backup,
};
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::Diary;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn read(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panics while writing").clone())
            .expect("a log is text")
    }
}

impl Write for Page {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics while writing").write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_a_backup_repeats_of_a_request_is_a_reason_and_is_not_logged() {
    let page = Page::default();
    let writer = page.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    let _guard = subscriber.finish().set_default();
    let repeats = service_fn(async |payload: &'static str| {
        let text = format!("ERR unknown command 'SETX', with args beginning with: '{payload}'");
        Err::<&'static str, BoxError>(text.into())
    });
    let reasons = Diary::default();
    let diary = reasons.clone();
    let layer = FallbackLayer::new(Backup::new(repeats).or(Backup::new(repeats).named("second")))
        .named("users")
        .observe(Log)
        .observe(move |event: &Event<'_>| {
            if let Event::FallbackFailed { reasons, .. } = event {
                reasons.iter().map(Reason::message).for_each(|message| diary.note(message));
            }
        });
    let down = service_fn(async |_| Err::<&'static str, BoxError>("payload of a response".into()));
    layer.layer(down).oneshot("payload").await.unwrap_err();
    let log = page.read();
    assert!(log.contains("WARN") && log.contains("fallback users failed"), "{log}");
    assert!(!log.contains("payload"), "{log}");
    assert!(log.contains("backup, second"), "{log}");
    assert_eq!(reasons.read().iter().filter(|reason| reason.contains("payload")).count(), 2);
}
