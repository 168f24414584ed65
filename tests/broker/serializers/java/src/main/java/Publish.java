import io.apicurio.registry.serde.SerdeConfig;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Publishes orders with Apicurio's Avro serializer in its Confluent mode: a zero byte and a four-byte id.
 *
 * <p>Publish BROKERS REGISTRY TOPIC SCHEMA-FILE COUNT: order n has the id "java-n", the product "Tablet" and the price
 * n / 4, which a float holds exactly. REGISTRY is Apicurio's own interface, .../apis/registry/v2.
 */
public final class Publish {
    public static void main(String[] arguments) throws Exception {
        String topic = arguments[2];
        Schema schema = new Schema.Parser().parse(Files.readString(Path.of(arguments[3])));
        Map<String, Object> serializing = Map.of(
                SerdeConfig.REGISTRY_URL, arguments[1],
                SerdeConfig.AUTO_REGISTER_ARTIFACT, true,
                SerdeConfig.ENABLE_CONFLUENT_ID_HANDLER, true,
                SerdeConfig.ENABLE_HEADERS, false,
                SerdeConfig.USE_ID, "contentId");
        AvroKafkaSerializer<GenericRecord> values = new AvroKafkaSerializer<>();
        values.configure(serializing, false);
        Map<String, Object> producing = Map.of("bootstrap.servers", arguments[0], "linger.ms", 20);
        try (KafkaProducer<String, GenericRecord> producer =
                new KafkaProducer<>(producing, new StringSerializer(), values)) {
            List<Future<?>> sent = new ArrayList<>();
            for (int n = 1; n <= Integer.parseInt(arguments[4]); n++) {
                GenericRecord order = new GenericData.Record(schema);
                order.put("orderId", "java-" + n);
                order.put("product", "Tablet");
                order.put("price", n / 4.0f);
                sent.add(producer.send(new ProducerRecord<>(topic, "java-" + n, order)));
            }
            for (Future<?> one : sent) {
                one.get();
            }
        }
    }
}
