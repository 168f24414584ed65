import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Set;
import org.apache.avro.Conversions;
import org.apache.avro.Resolver;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericEnumSymbol;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;

/**
 * Vectors in, the same vectors out with what Apache Avro's own library reads: java -cp 'jars/*' Oracle.java.
 *
 * Two things are left as they were. The specification wants the items of arrays and the values of maps to match; this
 * library looks at them only where there are some. And it wants records to have the same name, which this library does
 * not look at; we do, but for a reader's union, where this library decides.
 */
public class Oracle {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String text; (text = in.readLine()) != null;) {
            ObjectNode line = (ObjectNode) JSON.readTree(text);
            Schema writer, reader;
            try {
                writer = new Schema.Parser().parse(line.get("writer").asText());
                reader = line.get("reader").isNull() ? writer : new Schema.Parser().parse(line.get("reader").asText());
            } catch (RuntimeException error) {
                continue; // it takes fewer schemas than the maker of the vectors
            }
            for (JsonNode record : line.get("records")) {
                expect((ObjectNode) record, writer, reader, line.get("fields"));
            }
            out.println(JSON.writeValueAsString(line));
        }
        out.flush();
    }

    private static void expect(ObjectNode record, Schema writer, Schema reader, JsonNode fields) {
        String before = record.path("error").asText("");
        boolean items = before.contains("ismatch: ") && (before.contains("'type': 'array'") || before.contains("'type': 'map'"));
        JsonNode mark = record.path("record_for_record");
        boolean names = mark.asText("").equals("type"), either = items && mark.asText("").equals("union");
        byte[] body = HexFormat.of().parseHex(record.get("body").asText());
        record.remove(java.util.List.of("value", "group", "id", "error", "record_for_record"));
        try {
            GenericData data = new GenericData();
            data.addLogicalTypeConversion(new Conversions.DecimalConversion());
            GenericRecord read = (GenericRecord) new GenericDatumReader<>(writer, reader, data)
                .read(null, DecoderFactory.get().binaryDecoder(body, null));
            String value = number(at(read, fields.get(0).asText()));
            String group = text(at(read, fields.get(1).asText())), id = text(at(read, fields.get(2).asText()));
            if (items || names) {
                record.put("error", before);
                if (either) {
                    record.set("record_for_record", mark); // a union of records and arrays: which it was is not known
                }
            } else {
                record.put("value", value).put("group", group).put("id", id);
                if (mark.asText("").equals("union")
                    && overlooksNames(Resolver.resolve(writer, reader), false, new HashSet<>())) {
                    record.set("record_for_record", mark); // it may have read a record within that one which we do not
                }
            }
        } catch (Exception error) {
            record.put("error", String.valueOf(error.getMessage()));
            if (mark.asText("").equals("union") && !refusedByUnion(String.valueOf(error.getMessage()))) {
                record.set("record_for_record", mark);
            }
        }
    }

    /**
     * Whether the union had no record to read the writer's as. For a record of another name this library takes the
     * first of which the fields themselves seem to match, and then may fail at what is in them, where we take the next.
     */
    private static boolean refusedByUnion(String message) {
        return message.matches("Found t\\.(R\\d+|Sub), expecting union\\[.*\\b(R\\d+|Sub)\\b.*");
    }

    /** Whether anywhere but in a reader's union a record may be read as one of another name. */
    private static boolean overlooksNames(Resolver.Action action, boolean branch, Set<Resolver.Action> seen) {
        if (!seen.add(action)) {
            return false;
        } else if (action instanceof Resolver.ReaderUnion union) {
            return overlooksNames(union.actualAction, true, seen);
        } else if (action instanceof Resolver.WriterUnion union) {
            return Arrays.stream(union.actions).anyMatch(a -> overlooksNames(a, false, seen));
        } else if (action instanceof Resolver.Container container) {
            return overlooksNames(container.elementAction, false, seen);
        } else if (action instanceof Resolver.RecordAdjust record) {
            return (!branch && !record.writer.getName().equals(record.reader.getName()))
                || Arrays.stream(record.fieldActions).anyMatch(a -> overlooksNames(a, false, seen));
        }
        return false;
    }

    private static Object at(GenericRecord record, String path) {
        Object found = record;
        for (String part : path.split("\\.")) {
            GenericRecord within = (GenericRecord) found;
            if (within.getSchema().getField(part) == null) {
                throw new IllegalArgumentException("no field " + part);
            }
            found = within.get(part);
        }
        return found;
    }

    private static String number(Object value) {
        BigDecimal exact = value instanceof Integer || value instanceof Long
            ? BigDecimal.valueOf(((Number) value).longValue())
            : value instanceof Float || value instanceof Double ? new BigDecimal(((Number) value).doubleValue())
            : (BigDecimal) value;
        return exact.signum() == 0 ? "0" : exact.stripTrailingZeros().toPlainString();
    }

    private static String text(Object value) {
        byte[] bytes;
        if (value instanceof ByteBuffer buffer) {
            bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
        } else if (value instanceof CharSequence || value instanceof GenericEnumSymbol || value instanceof Integer
                   || value instanceof Long) {
            bytes = value.toString().getBytes(StandardCharsets.UTF_8);
        } else {
            throw new IllegalArgumentException("no text");
        }
        return HexFormat.of().formatHex(bytes);
    }
}
