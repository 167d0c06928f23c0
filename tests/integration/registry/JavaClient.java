import static java.util.Map.of;

import java.util.List;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchemaProvider;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.SchemaMetadata;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.RestService;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.entities.SchemaReference;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;

/** Confluent's Java client against a registry: prints a line for each step, for the test to compare. */
public class JavaClient {
    private static final String V1 =
        "{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"}]}";
    private static final String V2 = V1.replace(
        "]}", ",{\"name\":\"note\",\"type\":\"string\",\"default\":\"\"}]}");
    private static final String BAD = V1.replace("]}", ",{\"name\":\"n\",\"type\":\"int\"}]}");
    private static final String LINE = "{\"type\":\"record\",\"name\":\"Line\",\"fields\":"
        + "[{\"name\":\"order\",\"type\":\"Order\"}]}";

    interface Step {
        Object run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        var client = new CachedSchemaRegistryClient(
            new RestService(arguments[0]), 100, List.of(new AvroSchemaProvider()), of(), of());
        var subject = "java-value";
        int id = client.register(subject, new AvroSchema(V1));
        show("again the same id", () -> client.register(subject, new AvroSchema(V1)) == id);
        show("compatible", () -> client.testCompatibility(subject, new AvroSchema(V2)));
        show("second version", () -> {
            client.register(subject, new AvroSchema(V2));
            return client.getVersion(subject, new AvroSchema(V2));
        });
        show("incompatible", () -> client.testCompatibility(subject, new AvroSchema(BAD)));
        show("why", () -> client.testCompatibilityVerbose(subject, new AvroSchema(BAD)).get(0).contains("$.n"));
        show("refused", () -> client.register(subject, new AvroSchema(BAD)));
        show("versions", () -> client.getAllVersions(subject));
        client.reset();
        show("by id", () -> client.getSchemaBySubjectAndId(subject, id).canonicalString().equals(V1));
        SchemaMetadata latest = client.getLatestSchemaMetadata(subject);
        show("latest", () -> latest.getVersion() + " " + latest.getSchemaType());
        show("with a reference", () -> client.register("java-line", new AvroSchema(
            LINE, List.of(new SchemaReference("Order", subject, 1)), of("Order", V1), null)) > id);
        show("resolved", () -> client.getSchemaBySubjectAndId(
            "java-line", client.getLatestSchemaMetadata("java-line").getId()).name());
        show("referred to", () -> client.deleteSchemaVersion(subject, "1"));
        show("mode", () -> client.setMode("READONLY", subject) + " " + client.getMode(subject));
        show("read only", () -> client.register(subject, new AvroSchema(V2.replace("note", "memo"))));
        show("mode back", () -> client.setMode("READWRITE", subject));
        show("level", () -> client.updateCompatibility(subject, "FULL") + " " + client.getCompatibility(subject));
        show("soft", () -> client.deleteSubject("java-line"));
        show("for good", () -> client.deleteSubject("java-line", true));
        show("unknown", () -> client.getLatestSchemaMetadata("java-line"));
        show("subjects", () -> client.getAllSubjects());
    }

    private static void show(String step, Step run) throws Exception {
        try {
            System.out.println(step + ": " + run.run());
        } catch (RestClientException error) {
            System.out.println(step + ": " + error.getStatus() + " " + error.getErrorCode());
        }
    }
}
