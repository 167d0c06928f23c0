import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Runs the statements of a file, divided by lines of ";", one after the other, and waits for each. */
public class FlinkRace {
  public static void main(String[] arguments) throws Exception {
    TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
    tables.getConfig().set("table.local-time-zone", "UTC");
    tables.getConfig().set("parallelism.default", "2");
    tables.getConfig().set("execution.checkpointing.interval", "1s");
    long began = System.nanoTime();
    for (String statement : Files.readString(Path.of(arguments[0])).split(";\n")) {
      tables.executeSql(statement).await();
    }
    System.out.println("SECONDS " + (System.nanoTime() - began) / 1e9);
  }
}
