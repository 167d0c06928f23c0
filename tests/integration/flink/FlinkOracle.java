import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.legacy.RichSinkFunction;
import org.apache.flink.streaming.api.functions.source.legacy.SourceFunction;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.api.internal.TableEnvironmentInternal;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.types.CollectionDataType;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.KeyValueDataType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.runtime.typeutils.ExternalTypeInfo;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;

/**
 * Runs programs on a local Flink: one JSON object a line in, one a line out.
 *
 * A program has sources (schema, watermark, key, changelog mode), views, sinks (a query each) and a feed: rows one at
 * a time, in order, and the word "mark" where what the sinks have shown so far is noted. Arguments: the pause after a
 * row in milliseconds, and how many programs run at a time.
 */
public class FlinkOracle {
    static final Map<String, LinkedBlockingQueue<Object>> QUEUES = new ConcurrentHashMap<>();
    static final Map<String, List<Row>> RESULTS = new ConcurrentHashMap<>();
    static final Map<String, Boolean> RUNNING = new ConcurrentHashMap<>();
    static final Object END = "END";

    public static class Feed implements SourceFunction<Row> {
        private final String key;
        private volatile boolean on = true;
        Feed(String key) { this.key = key; }
        @Override public void run(SourceContext<Row> context) throws Exception {
            LinkedBlockingQueue<Object> queue = QUEUES.get(key);
            RUNNING.put(key, true);
            while (on) {
                Object next = queue.take();
                if (next == END) { return; }
                synchronized (context.getCheckpointLock()) { context.collect((Row) next); }
            }
        }
        @Override public void cancel() { on = false; QUEUES.get(key).add(END); }
    }

    public static class Collect extends RichSinkFunction<Row> {
        private final String key;
        Collect(String key) { this.key = key; }
        @Override public void invoke(Row row, Context context) {
            List<Row> rows = RESULTS.get(key);
            synchronized (rows) { rows.add(Row.copy(row)); }
        }
    }

    static Object value(JsonNode node, DataType type) {
        if (node == null || node.isNull()) { return null; }
        switch (type.getLogicalType().getTypeRoot()) {
            case BOOLEAN: return node.asBoolean();
            case TINYINT: return (byte) node.asInt();
            case SMALLINT: return (short) node.asInt();
            case INTEGER: return node.asInt();
            case BIGINT: return node.asLong();
            case FLOAT: return Float.parseFloat(node.asText());
            case DOUBLE: return Double.parseDouble(node.asText());
            case DECIMAL: return new BigDecimal(node.asText());
            case CHAR: case VARCHAR: return node.asText();
            case BINARY: case VARBINARY: {
                String text = node.asText();
                if (!text.startsWith("0x")) { return text.getBytes(java.nio.charset.StandardCharsets.UTF_8); }
                byte[] out = new byte[(text.length() - 2) / 2];
                for (int i = 0; i < out.length; i++) { out[i] = (byte) Integer.parseInt(text.substring(2 + 2 * i, 4 + 2 * i), 16); }
                return out;
            }
            case DATE: return LocalDate.parse(node.asText());
            case TIME_WITHOUT_TIME_ZONE: return LocalTime.parse(node.asText());
            case TIMESTAMP_WITHOUT_TIME_ZONE: return LocalDateTime.parse(node.asText().replace(' ', 'T').replace("Z", ""));
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE: return instant(node.asText());
            case ARRAY: {
                DataType item = ((CollectionDataType) type).getElementDataType();
                Object out = java.lang.reflect.Array.newInstance(item.getConversionClass(), node.size());
                for (int i = 0; i < node.size(); i++) { java.lang.reflect.Array.set(out, i, value(node.get(i), item)); }
                return out;
            }
            case MAP: {
                KeyValueDataType map = (KeyValueDataType) type;
                Map<Object, Object> out = new HashMap<>();
                for (JsonNode pair : node.get("$map")) { out.put(value(pair.get(0), map.getKeyDataType()), value(pair.get(1), map.getValueDataType())); }
                return out;
            }
            case MULTISET: {
                Map<Object, Object> out = new HashMap<>();
                for (JsonNode pair : node.get("$map")) { out.put(value(pair.get(0), ((CollectionDataType) type).getElementDataType()), pair.get(1).asInt()); }
                return out;
            }
            case ROW: {
                List<DataType> fields = DataType.getFieldDataTypes(type);
                Row row = new Row(fields.size());
                for (int i = 0; i < fields.size(); i++) { row.setField(i, value(node.get(i), fields.get(i))); }
                return row;
            }
            default: throw new IllegalArgumentException(type.toString());
        }
    }

    static Instant instant(String text) {
        text = text.replace(' ', 'T');
        if (text.endsWith("Z")) { return Instant.parse(text); }
        if (text.matches(".*[+-]\\d\\d:\\d\\d$")) { return java.time.OffsetDateTime.parse(text).toInstant(); }
        return LocalDateTime.parse(text).toInstant(ZoneOffset.UTC);
    }

    static Object plain(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Integer || value instanceof Long || value instanceof Short || value instanceof Byte || value instanceof String) { return value; }
        if (value instanceof Double || value instanceof Float) {
            double number = value instanceof Float ? Double.parseDouble(value.toString()) : (Double) value;
            return Double.isFinite(number) ? (Object) number : String.valueOf(number);
        }
        if (value instanceof BigDecimal) { return ((BigDecimal) value).toPlainString(); }
        if (value instanceof LocalDateTime) { return value.toString(); }
        if (value instanceof byte[]) {
            StringBuilder text = new StringBuilder("0x");
            for (byte one : (byte[]) value) { text.append(String.format("%02x", one)); }
            return text.toString();
        }
        if (value.getClass().isArray()) {
            List<Object> out = new ArrayList<>();
            for (int i = 0; i < java.lang.reflect.Array.getLength(value); i++) { out.add(plain(java.lang.reflect.Array.get(value, i))); }
            return out;
        }
        if (value instanceof Row) {
            List<Object> out = new ArrayList<>();
            for (int i = 0; i < ((Row) value).getArity(); i++) { out.add(plain(((Row) value).getField(i))); }
            return out;
        }
        if (value instanceof Map) {
            List<Object> pairs = new ArrayList<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) { pairs.add(java.util.Arrays.asList(plain(entry.getKey()), plain(entry.getValue()))); }
            Map<String, Object> out = new LinkedHashMap<>();
            out.put("$map", pairs);
            return out;
        }
        return value.toString();
    }

    static List<Object> listed(List<Row> rows) {
        List<Object> out = new ArrayList<>();
        synchronized (rows) {
            for (Row row : rows) {
                List<Object> one = new ArrayList<>();
                one.add(row.getKind().shortString());
                for (int i = 0; i < row.getArity(); i++) { one.add(plain(row.getField(i))); }
                out.add(one);
            }
        }
        return out;
    }

    static ChangelogMode mode(String text) {
        ChangelogMode.Builder builder = ChangelogMode.newBuilder();
        for (String kind : text.split(",")) {
            builder.addContainedKind(Map.of("I", RowKind.INSERT, "UB", RowKind.UPDATE_BEFORE, "UA", RowKind.UPDATE_AFTER, "D", RowKind.DELETE).get(kind.trim()));
        }
        return builder.build();
    }

    static Map<String, Object> run(JsonNode program, long pause) throws Exception {
        String id = program.get("id").asText();
        Configuration settings = new Configuration();
        settings.setString("pipeline.auto-watermark-interval", "0 ms");
        settings.setString("parallelism.default", "1");
        settings.setString("execution.buffer-timeout.interval", "0 ms");
        settings.setString("restart-strategy.type", "none");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, settings);
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.getConfig().set("table.local-time-zone", "UTC");
        if (program.has("config")) { program.get("config").fields().forEachRemaining(e -> tables.getConfig().set(e.getKey(), e.getValue().asText())); }
        DataTypeFactory types = ((TableEnvironmentInternal) tables).getCatalogManager().getDataTypeFactory();
        Map<String, List<DataType>> physical = new HashMap<>();
        for (JsonNode source : program.get("sources")) {
            String name = source.get("name").asText();
            String key = id + "/" + name;
            QUEUES.put(key, new LinkedBlockingQueue<>());
            Schema.Builder schema = Schema.newBuilder();
            List<DataTypes.Field> fields = new ArrayList<>();
            List<DataType> list = new ArrayList<>();
            java.util.Set<String> primary = new java.util.HashSet<>();
            if (source.hasNonNull("primary_key")) { source.get("primary_key").forEach(k -> primary.add(k.asText())); }
            for (JsonNode column : source.get("schema")) {
                String columnName = column.get(1).asText();
                if (column.get(0).asText().equals("column")) {
                    DataType type = types.createDataType(column.get(2).asText());
                    if (primary.contains(columnName)) { type = type.notNull(); }
                    list.add(type);
                    fields.add(DataTypes.FIELD(columnName, type));
                    schema.column(columnName, type);
                } else { schema.columnByExpression(columnName, column.get(2).asText()); }
            }
            if (source.hasNonNull("watermark")) { schema.watermark(source.get("watermark").get(0).asText(), source.get("watermark").get(1).asText()); }
            if (!primary.isEmpty()) { List<String> keys = new ArrayList<>(); source.get("primary_key").forEach(k -> keys.add(k.asText())); schema.primaryKey(keys); }
            physical.put(name, list);
            DataType row = DataTypes.ROW(fields.toArray(new DataTypes.Field[0])).notNull();
            DataStream<Row> stream = env.addSource(new Feed(key), name, ExternalTypeInfo.of(row));
            tables.createTemporaryView("`" + name + "`", tables.fromChangelogStream(stream, schema.build(), mode(source.get("mode").asText())));
        }
        for (JsonNode view : program.get("views")) { tables.executeSql(view.asText()); }
        List<String> sinks = new ArrayList<>();
        for (JsonNode sink : program.get("sinks")) {
            String key = id + "/sink/" + sink.get("name").asText();
            sinks.add(sink.get("name").asText());
            RESULTS.put(key, new ArrayList<>());
            Table table = tables.sqlQuery(sink.get("query").asText());
            tables.toChangelogStream(table).addSink(new Collect(key)).setParallelism(1);
        }
        JobClient client = env.executeAsync(id);
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("id", id);
        try {
            for (JsonNode source : program.get("sources")) {
                String key = id + "/" + source.get("name").asText();
                for (int i = 0; i < (RUNNING.keySet().stream().anyMatch(k -> k.startsWith(id + "/")) ? 40 : 600) && !RUNNING.containsKey(key) && !client.getJobExecutionResult().isDone(); i++) { Thread.sleep(20); }
            }
            Thread.sleep(150);
            List<Object> marks = new ArrayList<>();
            for (JsonNode item : program.get("feed")) {
                if (item.isTextual()) {
                    Thread.sleep(Math.max(300, pause * 10));
                    if (client.getJobExecutionResult().isCompletedExceptionally()) { break; }
                    Map<String, Object> now = new LinkedHashMap<>();
                    for (String sink : sinks) { now.put(sink, listed(RESULTS.get(id + "/sink/" + sink))); }
                    marks.add(now);
                } else {
                    String name = item.get(0).asText();
                    List<DataType> list = physical.get(name);
                    Row row = Row.withPositions(RowKind.values()[List.of("+I", "-U", "+U", "-D").indexOf(item.get(1).asText())], list.size());
                    for (int i = 0; i < list.size(); i++) { row.setField(i, value(item.get(i + 2), list.get(i))); }
                    QUEUES.get(id + "/" + name).add(row);
                    Thread.sleep(pause);
                }
            }
            for (JsonNode source : program.get("sources")) { QUEUES.get(id + "/" + source.get("name").asText()).add(END); }
            client.getJobExecutionResult().get(30, java.util.concurrent.TimeUnit.SECONDS);
            Map<String, Object> end = new LinkedHashMap<>();
            for (String sink : sinks) { end.put(sink, listed(RESULTS.get(id + "/sink/" + sink))); }
            out.put("marks", marks);
            out.put("end", end);
        } finally {
            if (!client.getJobExecutionResult().isDone()) { client.cancel(); }
        }
        return out;
    }

    static String reason(Throwable error) {
        StringBuilder text = new StringBuilder();
        for (Throwable at = error; at != null && text.length() < 1500; at = at.getCause()) { text.append(at.getClass().getSimpleName()).append(": ").append(at.getMessage()).append(" | "); }
        return text.toString();
    }

    public static void main(String[] args) throws Exception {
        long pause = args.length > 0 ? Long.parseLong(args[0]) : 15;
        PrintStream out = System.out;
        System.setOut(System.err);
        ObjectMapper json = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, java.nio.charset.StandardCharsets.UTF_8));
        java.util.concurrent.ExecutorService pool = java.util.concurrent.Executors.newFixedThreadPool(args.length > 1 ? Integer.parseInt(args[1]) : 3);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode program = json.readTree(line);
            pool.submit(() -> {
                Map<String, Object> result;
                try { result = run(program, pause); }
                catch (Throwable error) {
                    result = new LinkedHashMap<>();
                    result.put("id", program.get("id").asText());
                    result.put("error", reason(error));
                }
                try {
                    String text = json.writeValueAsString(result);
                    synchronized (out) { out.println(text); out.flush(); }
                } catch (Exception error) { throw new IllegalStateException(error); }
            });
        }
        pool.shutdown();
        pool.awaitTermination(1, java.util.concurrent.TimeUnit.HOURS);
        System.exit(0);
    }
}
