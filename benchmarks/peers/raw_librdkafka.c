/* Raw consumption in C: batches of rd_kafka_consume_batch_queue, the bytes of the values added up.
 *
 * The declarations are those of librdkafka's public header, so that no development package is needed: it is
 * linked to the very library that the Python client brings. Arguments: address, topic, count, partitions,
 * then settings as name=value.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct { int err; void *rkt; int32_t partition; void *payload; size_t len;
                 void *key; size_t key_len; int64_t offset; void *_private; } message_t;
void *rd_kafka_conf_new(void);
int rd_kafka_conf_set(void *, const char *, const char *, char *, size_t);
void *rd_kafka_new(int, void *, char *, size_t);
void *rd_kafka_topic_new(void *, const char *, void *);
void *rd_kafka_queue_new(void *);
int rd_kafka_consume_start_queue(void *, int32_t, int64_t, void *);
ssize_t rd_kafka_consume_batch_queue(void *, int, message_t **, size_t);
void rd_kafka_message_destroy(message_t *);

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  static message_t *messages[10000];
  char error[512];
  long count = atol(argv[3]), got = 0, bytes = 0;
  void *conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], error, sizeof error);
  for (int i = 5; i < argc; i++) {
    char *value = strchr(argv[i], '=');
    *value++ = 0;
    if (rd_kafka_conf_set(conf, argv[i], value, error, sizeof error)) { fprintf(stderr, "%s\n", error); return 1; }
  }
  double began = now();
  void *client = rd_kafka_new(1, conf, error, sizeof error);
  if (!client) { fprintf(stderr, "%s\n", error); return 1; }
  void *topic = rd_kafka_topic_new(client, argv[2], NULL), *queue = rd_kafka_queue_new(client);
  for (int p = 0; p < atoi(argv[4]); p++) rd_kafka_consume_start_queue(topic, p, -2, queue);
  while (got < count) {
    ssize_t n = rd_kafka_consume_batch_queue(queue, 50, messages, 10000);
    for (ssize_t i = 0; i < n; i++) {
      if (!messages[i]->err) { got++; bytes += messages[i]->len; }
      rd_kafka_message_destroy(messages[i]);
    }
  }
  printf("RESULT {\"seconds\": %f, \"events\": %ld, \"items\": 0, \"rows\": 0, \"batches\": []}\n", now() - began, got);
  return bytes == 0;
}
