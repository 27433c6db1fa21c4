//! With librdkafka's mock cluster.

use pgoutput_harness::servers;
use pgoutput_tests::Fixture;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{TOPIC, column, consumer, everything, run};

#[test]
fn changes_once_over_restarts() {
    let cluster = MockCluster::new(3).unwrap();
    cluster.create_topic("pgoutput.positions", 1, 3).unwrap();
    cluster.create_topic(TOPIC, 1, 3).unwrap();
    let fixture = Fixture::new(servers()[0], "CREATE TABLE t (id int PRIMARY KEY)");
    let url = format!("kafka://{}", cluster.bootstrap_servers());
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let errors = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    ];
    for last in [100, 200, 300] {
        cluster.request_errors(RDKafkaApiKey::EndTxn, &errors);
        cluster.request_errors(RDKafkaApiKey::InitProducerId, &errors);
        fixture.run([&format!("INSERT INTO t SELECT generate_series({last} - 99, {last})")]);
        run(&mut everything(&fixture, &url));
        let ids = column(&consumer::values(port, TOPIC), "id");
        assert_eq!(ids, (1..=last).collect::<Vec<_>>());
    }
}
