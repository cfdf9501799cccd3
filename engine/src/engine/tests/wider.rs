//! What was agreed to is what may be done, whatever the configuration says after a restart.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_retention_or_another_policy_asks_again_and_a_shorter_one_goes_on() {
    let keys = crate::keys::software::tests::keys();
    for (keep_days, policy, goes_on) in
        [(90, None, true), (30, None, true), (91, None, false), (90, Some("new"), false)]
    {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(now()));
        let world = world_in(Some(folder.path()), clock.clone(), keys.clone()).await;
        let (agreed, sending) = (world.agreed().await, world.in_review().await);
        let parcel = world.parcel(&sending).await;
        let ids = [agreed.id(), sending.id()];
        drop((world, agreed, sending));

        let (mut service, mut operator) = (lender(), operator());
        service.keep_for(keep_days);
        if let Some(text) = policy {
            operator.processing.policy = Digest::of(text.as_bytes());
        }
        let builder = builder(hollow_connector(), &clock).keys(keys.clone()).store(folder.path().to_owned());
        // The one that is registered last is the one that counts.
        let builder = builder.operator(operator).online_service(service);
        let world = World { engine: builder.build().await.unwrap(), clock };
        let [agreed, sending] = ids.map(|id| world.engine.session(id).unwrap());
        let fetched = world.engine.fetch_parcel(&lender(), parcel).await;
        if goes_on {
            assert_eq!(agreed.state(), State::AwaitingCredentials { rejected: 0 });
            assert!(fetched.is_ok() && sending.state() == State::Delivering);
        } else {
            assert_eq!(agreed.state(), State::Failed { code: Code::ConsentExpired });
            let sealed = world.sealed(agreed.id(), &LOGIN).await;
            assert!(world.engine.open_login(&agreed, &sealed, NAVIGATION).await.is_err());
            assert!(fetched.is_err(), "nothing goes to who keeps it longer than was said");
        }
    }
}
